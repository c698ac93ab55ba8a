/** A report: the page of one job as it was when its file was made. Nothing is asked of anybody, nothing changes. */

import { JobPage } from "../job/page.js";
import { frozen } from "./frozen.js";

const page = {
  title: (text) => {
    document.title = `${text} · Synapse Stream`;
  },
  connection() {},
  replaceQuery() {},
  isBusy: () => false,
};

new JobPage(document.getElementById("report"), new URLSearchParams({ id: frozen.job.job_id }), page);
