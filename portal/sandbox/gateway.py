"""The door of the sandbox: what is refused, what is ours, what goes on to MiniStack."""

import asyncio
import json

from portal.sandbox import control


def build(port, folder, saver):
    """The whole application: MiniStack with our rules put in from outside, behind our door."""
    from ministack import app as ministack

    _install_rules()
    return Gateway(ministack.app, port, control.Control(folder), saver)


def _install_rules():
    try:
        from portal.sandbox import appsync
    except ImportError:
        return
    appsync.install()


class Gateway:
    """An ASGI application around MiniStack's."""

    def __init__(self, inner, port, controls, saver):
        self._inner = inner
        self._hosts = {f"{name}:{port}".encode() for name in ("127.0.0.1", "localhost")}
        self._controls = controls
        self._saver = saver
        self.started = asyncio.Event()

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await self._inner(scope, receive, self._noting_start(send))
        elif scope["type"] != "http" or not self._is_welcome(scope):
            await _refuse(scope, send)
        else:
            await self._answer(scope, receive, send)

    def _noting_start(self, send):
        async def noting(message):
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                self.started.set()

        return noting

    def _is_welcome(self, scope):
        """A page in a browser must never reach this: it would carry an Origin, or another host's name."""
        headers = scope["headers"]
        hosts = [value for name, value in headers if name == b"host"]
        return len(hosts) == 1 and hosts[0] in self._hosts and not any(name == b"origin" for name, _ in headers)

    async def _answer(self, scope, receive, send):
        self._saver.mark()
        await self._inner(scope, receive, _without_cors(send))


async def _refuse(scope, send):
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
    else:
        await respond(send, 403, {"message": "The sandbox answers local programs only."})


async def respond(send, status, document, headers=()):
    """One JSON answer."""
    body = json.dumps(document).encode()
    fields = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


def _without_cors(send):
    """MiniStack allows every origin; nothing here is for pages of other origins."""

    async def plain(message):
        if message["type"] == "http.response.start":
            fields = [(name, value) for name, value in message["headers"] if not _is_cors(name)]
            message = {**message, "headers": fields}
        await send(message)

    return plain


def _is_cors(name):
    return name.lower().startswith(b"access-control-")
