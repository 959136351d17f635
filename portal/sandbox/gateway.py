"""The door of the sandbox: what is refused, what is ours, what goes on to MiniStack."""

import asyncio
import json

from portal.sandbox import calls, control


def build(port, folder, saver):
    """The whole application: MiniStack with our rules put in from outside, behind our door."""
    from ministack import app as ministack

    _install_rules()
    return Gateway(ministack.app, port, control.Control(folder), saver)


def _install_rules():
    from portal.sandbox import appsync, cognito, hosted_ui, kms, ses

    cognito.install()
    hosted_ui.install()
    appsync.install()
    kms.install()
    ses.install()


# MiniStack's own switches: one wipes everything, saved files included, at a word from anyone.
CLOSED = ("/_ministack/reset", "/_ministack/config")


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
        """A page in a browser must never reach this: it would carry an Origin, or another host's name. But for the
        pages made for people, which are sent from here to here."""
        from portal.sandbox import hosted_ui

        headers = scope["headers"]
        hosts = [value for name, value in headers if name == b"host"]
        origins = [value for name, value in headers if name == b"origin"]
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return False
        return not origins or (hosted_ui.is_hosted_path(scope["path"]) and origins == [b"http://" + hosts[0]])

    async def _answer(self, scope, receive, send):
        body = await _body(receive)
        method, path, headers = scope["method"], scope["path"], dict(scope["headers"])
        if path.startswith("/_sandbox/"):
            token = headers.get(b"x-sandbox-token", b"")
            await respond(send, *self._controls.answer(method, path, token, body))
            return
        if path in CLOSED:
            await respond(send, 404, {"message": "The sandbox has no such path."})
            return
        call = calls.read(method, path, headers, body)
        if not path.startswith("/_ministack/"):
            self._controls.note(call)
        await self._meet(call, scope, body, receive, send)

    async def _meet(self, call, scope, body, receive, send):
        """The call with what stands in its way: a quota, a fault, or nothing."""
        if self._controls.is_over_quota(call) or self._controls.is_unlucky(call):
            await _throttle(call, send)
            return
        fault = self._controls.fault_for(call)
        kind = fault.kind if fault else None
        if kind == "drop":
            await _hang_up(send)
        elif kind == "throttle":
            await _throttle(call, send)
        elif kind == "error_500":
            call.status = 500
            await respond(send, 500, {"__type": "InternalErrorException", "message": "A fault on request."})
        else:
            if kind == "slow":
                await asyncio.sleep(fault.seconds)
            await self._pass_on(call, scope, body, receive, _into_nothing if kind == "lose_answer" else send)
            if kind == "lose_answer":
                call.status = None
                await _hang_up(send)

    async def _pass_on(self, call, scope, body, receive, send):
        # Before and after: a save that runs between the two must not count as the last one.
        self._saver.mark()
        await self._inner_or_token(call, scope, _replay(body, receive), _recording(call, send))
        self._saver.mark()

    async def _inner_or_token(self, call, scope, receive, send):
        from portal.sandbox import hosted_ui, token_endpoint

        if token_endpoint.is_token_path(scope["path"]):
            await token_endpoint.serve(call, scope, receive, send)
        elif hosted_ui.is_hosted_path(scope["path"]):
            await hosted_ui.serve(scope, receive, send)
        else:
            await self._inner(scope, receive, send)


async def _body(receive):
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _replay(body, receive):
    """The body once more, for MiniStack; afterwards whatever the connection says."""
    pending = [{"type": "http.request", "body": body, "more_body": False}]

    async def replaying():
        return pending.pop() if pending else await receive()

    return replaying


def _recording(call, send):
    """Note the status, and leave out the headers by which MiniStack allows every origin."""

    async def recording(message):
        if message["type"] == "http.response.start":
            call.status = message["status"]
            fields = [(name, value) for name, value in message["headers"] if not _is_cors(name)]
            message = {**message, "headers": fields}
        await send(message)

    return recording


def _is_cors(name):
    return name.lower().startswith(b"access-control-")


async def _into_nothing(message):
    """An answer nobody gets."""


async def _hang_up(send):
    """Close the connection without a byte of an answer. ASGI has no word for it, so this asks Hypercorn's stream."""
    from hypercorn.protocol.events import StreamClosed

    stream = send.__self__
    await stream.send(StreamClosed(stream_id=stream.stream_id))


async def _refuse(scope, send):
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
    else:
        await respond(send, 403, {"message": "The sandbox answers local programs only."})


async def _throttle(call, send):
    """`cognito_facts.md` section 7 for Cognito; DynamoDB and KMS have their own words for it, SES another status."""
    if call.operation == "Token":
        call.status = 429
        await respond(send, 429, {"error": "too_many_requests"})
        return
    call.status = 429 if call.service == "ses" else 400
    words = {"dynamodb": "ProvisionedThroughputExceededException", "kms": "ThrottlingException"}
    code = words.get(call.service, "TooManyRequestsException")
    await respond(send, call.status, {"__type": code, "message": "Rate exceeded"})


async def respond(send, status, document):
    """One JSON answer."""
    body = json.dumps(document).encode()
    fields = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})
