"""`maskflow serve` as its user meets it: one command, a password, runs, Ctrl-C."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
from conftest import MakeVideo
from running import finish, maskflow, start

pytestmark = pytest.mark.slow
PASSWORD = "admin:s3cret"  # of the test's own server


@dataclass(frozen=True)
class Served:
    """A server and worker that are up."""

    process: "subprocess.Popen[str]"
    url: str
    environment: dict[str, str]

    def prefect(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "prefect", *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=240, check=False)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    own = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_API")}
    own |= {"PREFECT_HOME": str(tmp_path_factory.mktemp("served")), "PREFECT_SERVER_API_AUTH_STRING": PASSWORD}
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "serve", "--port", str(port)],
        stderr=subprocess.PIPE,
        text=True,
        env=own,
        start_new_session=True,
    )
    assert process.stderr is not None
    said = ""
    while "Ready" not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    url = f"http://127.0.0.1:{port}/api"
    yield Served(process, url, {**own, "PREFECT_API_URL": url, "PREFECT_API_AUTH_STRING": PASSWORD})
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    process.send_signal(signal.SIGINT)
    _, reported = process.communicate(timeout=60)
    assert process.returncode == 0, reported
    _, alive = psutil.wait_procs(children, timeout=60)
    assert alive == [], "something outlived the command"


def test_nothing_but_health_answers_without_the_password(served: Served) -> None:
    paths = httpx.get(f"{served.url}/openapi.json", auth=("admin", "s3cret")).json()["paths"]
    assert len(paths) > 100
    open_ = set()
    with httpx.Client() as client:
        for path, methods in paths.items():
            place = served.url + re.sub(r"\{[^}]*\}", "00000000-0000-0000-0000-000000000000", path)
            for method in methods:
                if client.request(method, place, auth=("admin", "wrong"), json={}).status_code != 401:
                    open_.add(path)
    assert open_ == {"/health", "/ready"}
    requested = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    answer = httpx.options(f"{served.url}/flow_runs/filter", headers=requested)
    assert "access-control-allow-origin" not in answer.headers


def test_a_deployment_runs_and_a_partial_run_tells_why(served: Served, tmp_path: Path, make_video: MakeVideo) -> None:
    videos, results = tmp_path / "videos.txt", tmp_path / "out" / "results.jsonl"
    good, missing = make_video(tmp_path / "good.mp4"), tmp_path / "missing.mp4"
    given = ["-p", f"video_list={videos}", "-p", f"output_jsonl={results}", "-p", "text_prompt=red square"]
    run = ("deployment", "run", "track-videos/track-videos", "--watch", *given)
    videos.write_text(f"{good}\n{missing}\n")
    assert served.prefect(*run).returncode == 1
    assert [json.loads(line)["video_path"] for line in results.read_text().splitlines()] == [str(good)]
    (last,) = httpx.post(
        f"{served.url}/flow_runs/filter", json={"sort": "START_TIME_DESC", "limit": 1}, auth=("admin", "s3cret")
    ).json()
    assert last["name"] == "red square in videos.txt"
    assert last["state_name"] == "Partial"
    assert last["state"]["message"].startswith("1 of 2 delivered, 1 failed; ")
    assert "missing.mp4: no such file or directory" in last["state"]["message"]
    time.sleep(3)  # logs are sent every two seconds
    logs = httpx.post(
        f"{served.url}/logs/filter",
        json={"logs": {"flow_run_id": {"any_": [last["id"]]}}},
        auth=("admin", "s3cret"),
    ).json()
    assert len(logs) > 5
    assert not [log["message"] for log in logs if "Traceback" in log["message"]]
    artifacts = httpx.post(
        f"{served.url}/artifacts/filter",
        json={"artifacts": {"flow_run_id": {"any_": [last["id"]]}}},
        auth=("admin", "s3cret"),
    ).json()
    by_type = {one["type"]: one for one in artifacts}
    assert {"progress", "table", "markdown"} <= set(by_type)
    assert "](data:image/jpeg;base64," in by_type["markdown"]["data"]


@pytest.mark.parametrize(
    ("arguments", "environment", "reported"),
    [
        (("worker",), {"PREFECT_API_AUTH_STRING": "admin:wrong"}, "refuses the password: set PREFECT_API_AUTH_STRING"),
        (
            ("worker", "--pool", "none"),
            {},
            "--pool: 'none' is not accepted: a work pool of the server; `maskflow deploy`",
        ),
        (("serve", "--host", "0.0.0.0"), {"PREFECT_SERVER_API_AUTH_STRING": ""}, "set PREFECT_SERVER_API_AUTH_STRING"),
    ],
)
def test_what_is_refused_is_told_in_one_line(
    arguments: tuple[str, ...],
    environment: dict[str, str],
    reported: str,
    served: Served,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {**served.environment, **environment}.items():
        monkeypatch.setenv(name, value)
    done = finish(start(*arguments))  # a process of its own: one that is not refused becomes a worker
    assert done.code == 2
    assert reported in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_a_server_that_does_not_answer_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    monkeypatch.setattr("tasks.server.address.PATIENCE_S", 1.0)
    done = maskflow("deploy")
    assert done.code == 2
    assert "no Prefect server answered at http://127.0.0.1:9/api" in done.err
    assert len(done.err.strip().splitlines()) == 1
