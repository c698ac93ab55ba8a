from __future__ import annotations

import re

from tests.unit.terminals import on_a_terminal, plain_text

REPORT = """
    from synapse_stream import ConsoleLogger, RuntimeContext
    with RuntimeContext(ConsoleLogger("job-1")) as ctx:
        ctx.set_progress(1, 4, step="training")
        ctx.log_message("careful", context="warning")
        print("from the plugin")
        for done in range(5):
            ctx.set_progress(done, 4, step="training")
        ctx.set_progress_failed("training")
        for number in range(20):
            ctx.set_progress(1, 2, step=f"step-{number}")
"""


def test_a_terminal_gets_bars_with_the_time_left_and_colours() -> None:
    text = on_a_terminal(REPORT)
    last_frame = text[text.rindex("from the plugin") :]

    assert "\x1b[33m" in text  # the warning is yellow
    assert "━" in text
    assert re.search(r"training .*100 % .*4/4.*0:00:00", text)
    assert "FAILED   training" in text
    assert "step-19" in last_frame
    assert "\x1b[?25h" in last_frame  # the cursor is shown again
    assert plain_text(last_frame).rstrip().endswith("job-1 completed")


def test_of_many_steps_the_terminal_shows_the_latest() -> None:
    bars = re.findall(r"(training|step-\d+) +━", plain_text(on_a_terminal(REPORT)))

    assert bars[-24:] == 2 * [f"step-{number}" for number in range(8, 20)]


def test_a_child_forked_while_bars_are_drawn_may_print_and_report() -> None:
    text = on_a_terminal("""
        import os, sys, threading, warnings
        from synapse_stream import ConsoleLogger, RuntimeContext

        warnings.simplefilter("ignore")  # of 3.12, of fork beside threads; it would wait for `draw`
        is_drawing, may_end = threading.Event(), threading.Event()

        def draw():
            display = ctx.logger._display
            with ctx.logger._lock, display._progress._lock, display._console._lock:
                is_drawing.set()
                may_end.wait()

        with RuntimeContext(ConsoleLogger("job-1")) as ctx:
            ctx.set_progress(1, 4, step="training")
            thread = threading.Thread(target=draw)
            thread.start()
            is_drawing.wait()
            child = os.fork()
            if child == 0:
                print("printed by the child")
                ctx.set_progress(2, 4, step="training")
                ctx.log_message("said by the child")
                ctx.end_log()
                sys.stdout.flush()
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            may_end.set()
            thread.join()
    """)

    assert "printed by the child" in text
    assert "said by the child" in text
    assert text.count("job-1 completed") == 1
