"""What docs/views.md shows works as it stands there."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from consumers import views
from tests.examples.test_readme import run
from tests.support import events
from tests.support.chains import Chain
from tests.support.packages import installed, put_module
from tests.support.projecting import Consumers

if TYPE_CHECKING:
    from synapse_stream.log.event_log import EventLog
    from synapse_stream.settings import Settings

PAGE = (Path(__file__).parents[2] / "docs" / "views.md").read_text()
VIEW, TEST = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
(ASKED,) = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)


def test_the_view_passes_its_test_and_is_asked_in_sql(
    settings: Settings, log: EventLog, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    put_module(site, "my_package", "", {"checkpoints": "my_package.views:Checkpoints"})
    (site / "my_package.py").unlink()
    (site / "my_package").mkdir()
    (site / "my_package" / "views.py").write_text(VIEW)
    saved = events.event("log", event="checkpoint", data={}, file="1.pt", at=1)
    with installed(site):
        run(TEST)["test_the_newest_checkpoint_is_shown"]()
        log.append(Chain("job-42").add(events.started(), saved))
        with Consumers(settings, [views.find("checkpoints").rules]) as consumers:
            consumers.catch_up()

    with sqlite3.connect(settings.data_dir / "views" / "checkpoints.db") as database:
        found = database.execute(ASKED).fetchall()
    database.close()
    assert found == [("job-42", "1.pt", events.START + events.SECOND)]
