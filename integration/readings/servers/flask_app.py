from flask import Flask, request

app = Flask(__name__)


@app.before_request
def echo():
    lines = ["path=" + request.path] + ["action=" + a for a in request.args.getlist("action")]
    return "\n".join(lines) + "\n", 200, {"Content-Type": "text/plain"}
