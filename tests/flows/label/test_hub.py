"""Beside Prefect's UI: files that runs made, and the page for their results."""

from contextlib import closing
from pathlib import Path

import pytest
from conftest import MakeVideo
from labelling import write_results
from starlette.testclient import TestClient

from core.formats.run_command import RunCommand, write_command
from flows.label.hub import hub
from tasks.server.outputs import announce_files, label_address_of, note_output


@pytest.fixture
def results(tmp_path: Path, make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Results that a run has made."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200/api")
    video = make_video(tmp_path / "a.mp4", frames=20, fps=10)
    write_results(tmp_path / "results.jsonl", video)
    note_output(tmp_path / "results.jsonl")
    write_command(tmp_path / "results.jsonl", RunCommand(words=["maskflow", "track-videos"], folder=tmp_path))
    return tmp_path / "results.jsonl"


def test_results_of_a_run_are_opened_from_its_link(results: Path) -> None:
    announce_files("http://127.0.0.1:4201", "http://127.0.0.1:4200/api")
    address = label_address_of(results)
    assert address is not None
    with closing(hub(None, ["127.0.0.1"])) as app, TestClient(app, base_url="http://127.0.0.1:4201") as client:
        page = client.get(address)
        assert (page.status_code, "Maskflow" in page.text) == (200, True)
        at = str(page.url)
        assert at.endswith("/")
        assert client.get(f"{at}static/main.js").status_code == 200
        about = client.get(f"{at}api/videos").json()
        assert [one["name"] for one in about["videos"]] == ["a.mp4"]
        assert client.get(f"{at}api/videos/0/document").json()["kind"] == "corrections"
        assert "content-security-policy" in page.headers
        assert client.get(str(results)).status_code == 200, "files are shown as before"
        assert client.get(str(results.with_name("a.mp4"))).status_code == 404, "but not those that no run made"


def test_nothing_else_is_opened(results: Path) -> None:
    other = results.with_name("other.jsonl")
    other.write_bytes(results.read_bytes())
    with closing(hub(None, ["127.0.0.1"])) as app, TestClient(app, base_url="http://127.0.0.1:4201") as client:
        assert client.get(f"/label/open?results={other}").status_code == 404
        for key in ("0" * 32, "..", "open%2f..", "a"):
            assert client.get(f"/label/{key}/").status_code == 404
        assert client.get("/label/open", headers={"Host": "evil.example"}).status_code == 421
        opened = str(client.get(f"/label/open?results={results}").url)
        refused = client.post(f"{opened}api/run", json={}, headers={"Origin": "https://evil.example"})
        assert refused.status_code == 403


def test_with_a_password_only_who_knows_it(results: Path) -> None:
    with closing(hub("me:secret", None)) as app, TestClient(app, base_url="http://box:4201") as client:
        assert client.get(f"/label/open?results={results}").status_code == 401
        assert client.get(f"/label/open?results={results}", auth=("me", "secret")).status_code == 200
