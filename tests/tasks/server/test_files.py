"""The server of what runs have made: what it gives out, to whom, and nothing else."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tasks.server.files import files_app
from tasks.server.outputs import address_of, announce_files, is_output, note_output, withdraw_files


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a report that a run has made, and files that none has."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "report.html").write_text("<h1>Report</h1>")
    (folder / "video.mp4").write_bytes(bytes(range(100)))
    (folder / "secret.html").write_text("mine")
    for name in ("report.html", "video.mp4"):
        note_output(folder / name)
    return folder


def _client(password: str | None = None) -> TestClient:
    return TestClient(files_app(is_output, password, ["127.0.0.1"]), base_url="http://127.0.0.1")


def test_what_runs_made_is_shown_and_nothing_else(made: Path) -> None:
    client = _client()
    report = client.get(f"{made}/report.html")
    assert (report.status_code, report.text) == (200, "<h1>Report</h1>")
    assert "default-src 'none'" in report.headers["content-security-policy"]
    for path in (f"{made}/secret.html", f"{made}/none.html", f"{made}/", "/etc/passwd", f"{made}/../out/secret.html"):
        assert client.get(path).status_code == 404, path
    (made / "report.html").unlink()
    (made / "report.html").symlink_to("/etc/passwd")
    assert client.get(f"{made}/report.html").status_code == 404, "a link leads elsewhere"
    assert client.post(f"{made}/video.mp4").status_code == 405


def test_a_part_of_a_video_can_be_had(made: Path) -> None:
    part = _client().get(f"{made}/video.mp4", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, bytes(range(10, 20)))
    assert part.headers["content-type"] == "video/mp4"


def test_the_password_is_needed_where_there_is_one(made: Path) -> None:
    client = _client("admin:s3cret")
    assert client.get(f"{made}/report.html").status_code == 401
    assert client.get(f"{made}/report.html", auth=("admin", "wrong")).status_code == 401
    assert client.get(f"{made}/report.html", auth=("admin", "s3cret")).status_code == 200


def test_other_names_do_not_lead_here(made: Path) -> None:
    assert _client().get(f"{made}/report.html", headers={"Host": "evil.example"}).status_code == 400


def test_a_note_that_cannot_be_read_costs_its_own_file(made: Path, tmp_path: Path) -> None:
    for note in (tmp_path / "prefect" / "maskflow-server" / "outputs").iterdir():
        if "report" in note.read_text():
            note.write_text("{spoilt")
    assert _client().get(f"{made}/report.html").status_code == 404
    assert _client().get(f"{made}/video.mp4").status_code == 200


def test_outputs_have_an_address_while_it_is_served(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200/api")
    assert address_of(made / "report.html") is None
    announce_files("http://127.0.0.1:4201", "http://127.0.0.1:4200/api")
    assert address_of(made / "a b.html") == f"http://127.0.0.1:4201{made}/a%20b.html"
    monkeypatch.setenv("PREFECT_API_URL", "http://elsewhere:4200/api")
    assert address_of(made / "report.html") is None, "runs of another server are not shown here"
    withdraw_files()
