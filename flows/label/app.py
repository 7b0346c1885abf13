"""The page's server: routes over a session, and the files of the page itself."""

from collections.abc import Callable
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from pydantic import ValidationError

from core.errors import MaskflowError
from core.text import one_line
from core.validation import expected
from flows.label.documents import Changed
from flows.label.looking import Preview
from flows.label.routes import looking, runs, videos
from flows.label.routes.needs import State
from flows.label.running import Runs
from flows.label.session import Session

_STATIC = Path(__file__).parent / "static"


def label_app(session: Session) -> FastAPI:
    """The application. Whoever reaches it may use all of it: put `Guard` around it."""
    app = FastAPI(title="maskflow label", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.label = State(session, Preview(session.segmenter), Runs(session.places.state))
    for one in (videos, looking, runs):
        app.include_router(one.router)
    app.mount("/static", StaticFiles(directory=_STATIC))
    app.add_api_route("/", lambda: FileResponse(_STATIC / "index.html"), response_class=FileResponse)
    # `RefusedInput` and our other errors that a person can do something about say what is wrong in one line.
    for kind, code in ((MaskflowError, 422), (ValueError, 422), (IndexError, 404)):
        app.add_exception_handler(kind, _explained(code))
    app.add_exception_handler(RequestValidationError, _explain_request)
    app.add_exception_handler(Changed, _explain_change)
    return app


def _explained(code: int) -> Callable[[Request, Exception], JSONResponse]:
    def explain(_: Request, error: Exception) -> JSONResponse:
        if isinstance(error, ValidationError):
            return JSONResponse({"detail": one_line(expected(error.errors()[0]))}, code)
        return JSONResponse({"detail": one_line(str(error))}, code)

    return explain


def _explain_request(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = " / ".join(str(part) for part in first["loc"][1:])
    return JSONResponse({"detail": one_line(f"{place}: {expected(first)}")}, 422)


def _explain_change(_: Request, __: Exception) -> JSONResponse:
    return JSONResponse({"detail": "the file was changed in the meantime"}, 409)
