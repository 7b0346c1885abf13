"""A busy server says when to come back; other answers pass as they are."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI, Response

from tasks.server.retry_soon import retry_soon


@pytest.mark.parametrize(("status", "after"), [(503, "0.5"), (200, None), (423, None)])
def test_only_busy_answers_say_when_to_come_back(status: int, after: str | None) -> None:
    app = FastAPI()

    @app.get("/")
    def answer() -> Response:
        return Response(b"body", status, {"own": "kept"})

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(retry_soon(app))
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            return await client.get("/")

    answered = asyncio.run(ask())
    assert (answered.status_code, answered.content, answered.headers["own"]) == (status, b"body", "kept")
    assert answered.headers.get("retry-after") == after
