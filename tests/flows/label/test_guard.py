"""Who may use the page, and who may not."""

import stat
from pathlib import Path

import pytest
from conftest import MakeVideo
from labelling import HOST, TOKEN, page
from starlette.testclient import TestClient

from flows.label.guard import MOST_BYTES, Guard, kept_token


@pytest.fixture
def stranger(tmp_path: Path, make_video: MakeVideo) -> TestClient:
    """A browser that does not know the token."""
    with page(make_video(tmp_path / "a.mp4"), folder=tmp_path) as client:
        return TestClient(client.app, base_url=HOST)


def test_without_the_token_nothing_is_shown(stranger: TestClient) -> None:
    for path in ("/", "/?token=wrong", "/api/videos", "/static/main.js", "/api/videos/0/frames/0.jpg", "/docs"):
        answer = stranger.get(path)
        assert (answer.status_code, b"maskflow label" in answer.content) == (403, True), path
    assert stranger.post("/api/run", json={}, headers={"Cookie": "maskflow_label_8008=guess"}).status_code == 403


def test_the_token_is_kept_where_no_script_and_no_other_site_gets_it(stranger: TestClient) -> None:
    answer = stranger.get(f"/?token={TOKEN}", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    stranger.get(f"/?token={TOKEN}")
    page_itself = stranger.get("/")
    assert page_itself.status_code == 200
    policy = page_itself.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert TOKEN not in page_itself.text


def test_under_another_name_there_is_nothing(stranger: TestClient) -> None:
    """A site that makes its own name lead here (DNS rebinding)."""
    for host in ("evil.example", "evil.example:8008", "127.0.0.1.evil.example"):
        assert stranger.get(f"/?token={TOKEN}", headers={"Host": host}).status_code == 421


def test_another_sites_page_changes_nothing(stranger: TestClient) -> None:
    stranger.get(f"/?token={TOKEN}")
    for origin in ("https://evil.example", "http://127.0.0.1:9999", "null"):
        assert stranger.post("/api/run", json={}, headers={"Origin": origin}).status_code == 403
    assert stranger.post("/api/run", json={}, headers={"Origin": HOST}).status_code == 422


def test_too_much_is_not_read(stranger: TestClient) -> None:
    stranger.get(f"/?token={TOKEN}")
    assert stranger.post("/api/run", content=b" " * (MOST_BYTES + 1)).status_code == 413

    def drops() -> "list[bytes]":
        return [b" " * 2**20] * (MOST_BYTES // 2**20 + 2)

    with pytest.raises(Exception):  # noqa: B017, PT011 - the connection is cut
        stranger.post("/api/run", content=iter(drops())).raise_for_status()


def test_a_password_is_needed_besides_where_there_is_one(stranger: TestClient) -> None:
    inner = stranger.app
    assert isinstance(inner, Guard)
    guarded = TestClient(Guard(inner._app, TOKEN, None, "me:secret"), base_url="http://box:8008")
    assert guarded.get(f"/?token={TOKEN}").status_code == 401
    assert guarded.get(f"/?token={TOKEN}", auth=("me", "wrong")).status_code == 401
    assert guarded.get(f"/?token={TOKEN}", auth=("me", "secret")).status_code == 200
    assert guarded.get("/api/videos", auth=("me", "secret")).status_code == 200


def test_no_path_comes_from_the_browser(stranger: TestClient) -> None:
    stranger.get(f"/?token={TOKEN}")
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd", "/api/videos/..%2f/frames/0.jpg"):
        assert stranger.get(path).status_code in (404, 422), path
    for number in ("1", "-1", "99999999999999999999"):
        assert stranger.get(f"/api/videos/{number}").status_code in (404, 422)


def test_the_token_outlives_the_server_and_is_nobody_elses(tmp_path: Path) -> None:
    token = kept_token(tmp_path / "deep" / "token")
    assert kept_token(tmp_path / "deep" / "token") == token
    assert stat.S_IMODE((tmp_path / "deep" / "token").stat().st_mode) == 0o600
    (tmp_path / "deep" / "token").chmod(0o644)
    assert kept_token(tmp_path / "deep" / "token") != token, "others may have read it"
