from urllib.parse import parse_qs


async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "hello"})
        return
    if scope["type"] != "http":
        return
    headers = {name: value for name, value in scope["headers"]}
    lines = ["path=" + scope["path"], "user=" + headers.get(b"remote-user", b"").decode("latin-1")]
    query = scope["query_string"].decode("latin-1")
    lines += ["action=" + a for a in parse_qs(query).get("action", [])]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")})
