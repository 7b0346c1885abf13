"""For the temporary server: who meets a busy SQLite is to come back soon."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Callable[[], Awaitable[Message]], Send], Awaitable[None]]
_BUSY = 503
_AFTER_S = b"0.5"


def retry_soon(app: App) -> App:
    """An ASGI application that answers as `app`, with `Retry-After` where that is busy.

    Prefect's clients wait as long before they try again; without it 2, 4, 8 … seconds, up to days.
    """

    async def answer(scope: Message, receive: Callable[[], Awaitable[Message]], send: Send) -> None:
        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == _BUSY:
                message["headers"] = [*message.get("headers", ()), (b"retry-after", _AFTER_S)]
            await send(message)

        await app(scope, receive, send_with_header)

    return answer
