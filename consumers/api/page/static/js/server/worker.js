/** The shared worker that holds the one connection for all tabs. */

import { Streams } from "./streams.js";

const streams = new Streams(new URL("../../../", self.location.href).href);

self.onconnect = ({ ports: [port] }) => {
  port.onmessage = ({ data }) => streams.take(port, data);
};
