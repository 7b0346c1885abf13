"""`maskflow`: the flows as commands. This module stays light; what a command needs is imported when it runs."""

import io
import os
import shutil
import sys
from functools import partial
from importlib import import_module
from importlib.metadata import version

from cyclopts import App, Group, Parameter
from cyclopts.exceptions import CycloptsError
from rich.console import Console

from core.errors import MaskflowError, RefusedInput
from core.imports import no_collection
from flows.cli.examples import EXAMPLES
from flows.cli.help_pages import show_help
from flows.cli.refusals import misuse, refusal

FLOWS, RESULTS, MODELS, SERVER, OTHER = (
    Group(title, sort_key=place)
    for place, title in enumerate(("Flows", "Results", "Models and devices", "Server", "Other"))
)
app = App(
    name="maskflow",
    help="Turn video into masks, tracks, annotations and 3D models. Interrupted runs go on where they stopped.",
    help_epilogue="`maskflow COMMAND --help` has options and examples. Exit codes: 0 all done, 1 some items failed "
    "(the rest are delivered), 2 refused input.",
    default_parameter=Parameter(consume_multiple=True, negative_iterable=()),
    group_commands=OTHER,
    version=lambda: version("maskflow"),
    suppress_keyboard_interrupt=False,
)


def _command(name: str, where: str, group: Group, text: str) -> None:
    examples = {"help_epilogue": EXAMPLES[name]} if name in EXAMPLES else {}
    app.command(where, name=name, group=group, help=text, **examples)


_FLOWS = (
    ("track-videos", "Track what a text names, or boxes point at, through many videos."),
    ("annotate-long-video", "Annotate every object of long videos densely, from sparse annotations or a text."),
    ("refine-masks", "Refine instance-id maps of many scenes with masks, and report what it did."),
    ("reconstruct-windows", "Reconstruct sliding windows of frames as COLMAP models, and merge them into one."),
    ("track-mask-points", "Track every point of masks in 3D through an RGB-D clip, in batches, into one recording."),
)
_HELP = frozenset({"--help", "-h"})
_FLOW_NAMES = frozenset(name for name, _ in _FLOWS)
for _name, _text in _FLOWS:
    _command(_name, f"flows.cli.flow_commands:{_name.replace('-', '_')}", FLOWS, _text)
_command("demo", "flows.cli.demo:demo", FLOWS, "Render clips with exact truth, track them, and score the result.")
for _name, _where, _text in (
    ("export", "exchange:export_results", "Write results as COCO, YouTube-VIS, DAVIS, MOT, MOTS, YOLO, CVAT or Rerun."),
    ("import", "exchange:import_annotations", "Make annotations of any of these into prompts, results or scenes."),
    ("evaluate", "evaluate:evaluate_results", "Judge results by the truth: J&F, HOTA, IDF1, MOTA, average precision."),
    ("label", "label:label", "Point at objects in the browser, see them tracked, and correct what is wrong."),
    ("review", "review:review_results", "Look through results for signs of trouble: the frames a person should see."),
    ("rgbd-to-clip", "clips:rgbd_to_clip", "Make a clip for track-mask-points from RGB-D folders and masks."),
):
    _command(_name, f"flows.cli.{_where}", RESULTS, _text)
for _name, _where, _text in (
    ("doctor", "doctor:doctor", "Check what works on this machine, and what to do for the rest."),
    ("weights", "weights:app", "List, get and verify model weights."),
    ("devices", "devices:devices", "Show this host's device slots and their limits."),
):
    _command(_name, f"flows.cli.{_where}", MODELS, _text)
for _name, _where, _text in (
    ("serve", "serving:serve", "Server, deployments and a worker on this machine, for UI and schedules."),
    ("deploy", "serving:deploy", "Register pool, deployments and automation with a server."),
    ("worker", "serving:worker", "Let this machine take flow runs from a server."),
    ("notify", "serving:notify", "Have a webhook called for runs that fail or are partial."),
):
    _command(_name, f"flows.cli.{_where}", SERVER, _text)
_command("cache", "flows.cli.cache:app", OTHER, "List and remove what runs keep to go on from.")
app.register_install_completion_command(help="Let the shell complete commands and options.", group=OTHER)


def main() -> None:
    """Run the command line and exit."""
    code = 1
    try:
        _get_ready(sys.argv[1:])
        code = run(sys.argv[1:])
    except Exception:  # noqa: BLE001 - shown as Python shows it; the process must still end below
        sys.excepthook(*sys.exc_info())
    link = sys.modules.get("tasks.server.link")
    if link is not None and link.is_lost():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # Prefect would wait for its server to take the last events and log lines
    sys.exit(code)


def _get_ready(arguments: list[str]) -> None:
    """For a flow: a server comes up while the flow is imported and its parameters are checked."""
    if arguments and arguments[0] in _FLOW_NAMES and not _HELP & set(arguments):
        from tasks.server.temporary import KEEP_VARIABLE, begin_server

        if "--no-keep-server" in map(_hyphens, arguments):
            os.environ[KEEP_VARIABLE] = "0"
        begin_server()
        with no_collection():
            import_module(f"flows.{arguments[0].replace('-', '_')}.flow")


def run(arguments: list[str]) -> int:
    """Run one command; gives its exit code. Flags may be spelt with `-` or, as documented, with `_`."""
    try:
        words = [_hyphens(argument) for argument in arguments]
        if len(words) == 2 and words[0] in _FLOW_NAMES and words[1] in _HELP:
            show_help(words, partial(_page, words[0]))
            return 0
        code = app(words, result_action="return_value", exit_on_error=False, print_error=False)
    except RefusedInput as refused:
        return _say(f"maskflow: {refusal(refused)}", 2)
    except MaskflowError as error:
        return _say(f"maskflow: {error}", 1)
    except CycloptsError as error:
        return _say(f"maskflow: {misuse(error)}", 2)
    except KeyboardInterrupt:
        return _say("maskflow: interrupted; run the same command again to go on", 130)
    return code if isinstance(code, int) else 0


def _page(command: str) -> str:
    """Its help, as it would be printed."""
    page = io.StringIO()
    width = shutil.get_terminal_size().columns
    app.help_print([command], console=Console(file=page, force_terminal=sys.stdout.isatty(), width=width))
    return page.getvalue()


def _hyphens(argument: str) -> str:
    if not argument.startswith("--"):
        return argument
    flag, equals, value = argument.partition("=")
    return flag.replace("_", "-") + equals + value


def _say(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code
