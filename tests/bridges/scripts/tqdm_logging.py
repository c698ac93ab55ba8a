"""A script with bars and a log."""

import logging

from tqdm.auto import trange

logging.basicConfig(level=logging.INFO)
for epoch in trange(20, desc="epochs"):
    logging.getLogger("trainer").info("epoch %d", epoch)
