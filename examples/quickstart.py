"""The shortest plugin. Without a server its events wait for `synapse-stream drain`."""

from synapse_stream import open_run

with open_run("job-42", console=True) as ctx:
    ctx.log_message("Starting", context="info")
    for epoch in range(1, 51):
        ctx.set_progress(epoch, 50, step="training")
        ctx.set_metrics({"loss": 1 / epoch, "accuracy": 1 - 1 / epoch}, step="training", x=epoch)
        ctx.log_dev_event("epoch", {"memory": 123})
    ctx.log("checkpoint", {"epoch": 50}, file="/data/model.pt")
    ctx.log_message("Done", context="success")
