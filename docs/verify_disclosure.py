"""Verify a line of `synapse-stream disclose`, offline and by nothing of Synapse Stream.

    python verify_disclosure.py FILE LOG_KEY [WITNESS_KEY ...] [--require-witnesses N]
    python verify_disclosure.py FILE ROOT

Keys are those of verify_certificate.py, which must lie beside this script. ROOT (hex) is that of
the run's tree over as many entries, as an export of then tells it: get it from elsewhere than the
file. Exit status 0: what is printed is what the run has recorded there.
"""

import json
import pathlib
import sys

from verify_certificate import anchored, demand, root_of, sha256


def unhex(text, size):
    found = bytes.fromhex(text)
    demand(len(found) == size, f"{text} has not {size} bytes")
    return found


def root_of_run(body):
    """Return the root (hex) of the run's tree that follows from the lines and their proof."""
    leaf, batch, entry = body["leaf"], body["batch"], body["entry"]
    demand("\n" not in body["job"] + batch["producer"] + batch["id"], "a name has two lines")
    lines = unhex(leaf["salt"], 16) + body["lines"].encode()
    root = root_of(sha256(b"\0" + lines), leaf["number"], leaf["size"], leaf["proof"])
    numbers = f"{batch['producer']}\n{batch['first']:d}\n{batch['last']:d}\n"
    header = f"synapse-stream 1\n{body['job']}\n{numbers}".encode()
    head = sha256(unhex(batch["previous"], 32) + header + root)
    content = f"batch {batch['id']}\n{numbers}".encode() + head
    return root_of(sha256(b"\0" + content), entry["number"], entry["size"], entry["proof"]).hex()


def main(path, trusted, *words):
    body = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    demand(body["synapse_stream_disclosure"] == 1, "it is no disclosure of version 1")
    found, batch = root_of_run(body), body["batch"]
    root = anchored(body, trusted, *words)["root"] if "+" in trusted else trusted
    size = body["entry"]["size"]
    demand(found == root, f"the proof leads to the root {found} of {size} entries, not to {root}")
    print(f"job {body['job']} with that root has in {batch['id']} of producer {batch['producer']}:")
    for line in body["lines"].rstrip("\n").split("\n"):
        print(line if line.isprintable() else ascii(line))


if __name__ == "__main__":
    demand(len(sys.argv) > 2, __doc__)
    main(*sys.argv[1:])
