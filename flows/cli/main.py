"""`maskflow`: the flows as commands. This module stays light; what a command needs is imported when it runs."""

import os
import sys
from importlib.metadata import version

from cyclopts import App, Parameter

from core.errors import MaskflowError, RefusedInput

app = App(
    name="maskflow",
    help="Turn video into masks, tracks, annotations and 3D models. Interrupted runs go on where they stopped.",
    help_epilogue="Exit codes: 0 all done, 1 some items failed (the rest are delivered), 2 refused input.",
    default_parameter=Parameter(consume_multiple=True, negative_iterable=()),
    version=lambda: version("maskflow"),
    suppress_keyboard_interrupt=False,
)
app.command(
    "flows.cli.flow_commands:track_videos",
    name="track-videos",
    help="Track what a text names, or boxes point at, through many videos.",
)
app.command(
    "flows.cli.flow_commands:annotate_long_video",
    name="annotate-long-video",
    help="Annotate every object of long videos densely, from sparse annotations or a text.",
)
app.command(
    "flows.cli.flow_commands:refine_masks",
    name="refine-masks",
    help="Refine instance-id maps of many scenes with masks, and report what it did.",
)
app.command(
    "flows.cli.flow_commands:reconstruct_windows",
    name="reconstruct-windows",
    help="Reconstruct sliding windows of frames as COLMAP models, and merge them into one.",
)
app.command(
    "flows.cli.flow_commands:track_mask_points",
    name="track-mask-points",
    help="Track every point of masks in 3D through an RGB-D clip, in batches, into one recording.",
)
app.command(
    "flows.cli.clips:rgbd_to_clip",
    name="rgbd-to-clip",
    help="Make a clip for track-mask-points from RGB-D folders and masks.",
)
app.command(
    "flows.cli.exchange:export_results",
    name="export",
    help="Write results as COCO, YouTube-VIS, DAVIS, MOT, MOTS, YOLO, CVAT or Rerun.",
)
app.command(
    "flows.cli.exchange:import_annotations",
    name="import",
    help="Make annotations of any of these formats into prompts, results or scenes.",
)
app.command(
    "flows.cli.evaluate:evaluate_results",
    name="evaluate",
    help="Judge results by the truth: J&F, HOTA, IDF1, MOTA, average precision.",
)
app.command(
    "flows.cli.review:review_results",
    name="review",
    help="Look through results for signs of trouble: the frames a person should look at.",
)
app.command("flows.cli.devices:devices", name="devices", help="Show this host's device slots and their limits.")
app.command(
    "flows.cli.serving:serve",
    name="serve",
    help="Server, deployments and a worker on this machine, for UI and schedules.",
)
app.command("flows.cli.serving:deploy", name="deploy", help="Register pool, deployments and automation with a server.")
app.command("flows.cli.serving:worker", name="worker", help="Let this machine take flow runs from a server.")
app.command("flows.cli.serving:notify", name="notify", help="Have a webhook called for runs that fail or are partial.")
app.command("flows.cli.weights:app", name="weights", help="List, get and verify model weights.")
app.command("flows.cli.cache:app", name="cache", help="List and remove what runs keep to go on from.")
app.command("flows.cli.demo:demo", name="demo", help="Render clips with exact truth, track them, and score the result.")


def main() -> None:
    """Run the command line and exit."""
    code = 1
    try:
        code = run(sys.argv[1:])
    except Exception:  # noqa: BLE001 - shown as Python shows it; the process must still end below
        sys.excepthook(*sys.exc_info())
    link = sys.modules.get("tasks.server.link")
    if link is not None and link.is_lost():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # Prefect would wait for its server to take the last events and log lines
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command; gives its exit code. Flags may be spelt with `-` or, as documented, with `_`."""
    try:
        code = app([_hyphens(argument) for argument in arguments], result_action="return_value", exit_on_error=False)
    except RefusedInput as refused:
        return _say(f"maskflow: {refused}", 2)
    except MaskflowError as error:
        return _say(f"maskflow: {error}", 1)
    except KeyboardInterrupt:
        return _say("maskflow: interrupted; run the same command again to go on", 130)
    except Exception as error:
        if type(error).__module__.startswith("cyclopts"):
            return 2  # printed already
        raise
    return code if isinstance(code, int) else 0


def _hyphens(argument: str) -> str:
    if not argument.startswith("--"):
        return argument
    flag, equals, value = argument.partition("=")
    return flag.replace("_", "-") + equals + value


def _say(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code
