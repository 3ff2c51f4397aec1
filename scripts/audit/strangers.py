"""What Schemathesis adds to its requests: values that exist, and what must hold of every answer."""

import json
import os
import urllib.request

import schemathesis
from graphql import ListValueNode, ObjectFieldNode, ObjectValueNode, NameNode, StringValueNode
from hypothesis import strategies as st

URL, TOKEN = os.environ["AUDIT_URL"], os.environ["AUDIT_TOKEN"]


def ask(document, **variables):
    body = json.dumps({"query": document, "variables": variables}).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {TOKEN}"}
    with urllib.request.urlopen(urllib.request.Request(URL, body, headers)) as answer:
        return next(iter(json.load(answer)["data"].values()))


def create(name, direction, step):
    flow = {"start": "hello", "steps": {"hello": step}}
    document = """mutation($input: CreateConversationInput!) { createConversation(input: $input) { conversation { id } } }"""
    made = ask(document, input={"name": name, "direction": direction, "flow": flow})
    return made["conversation"]["id"]


def things():
    """The ids of one thing of each kind."""
    line = ask("""mutation { createLine(input: { phone: "+12025550123", phoneNumberId: "1000", name: "Audit" }) {
        line { id } } }""")["line"]["id"]
    template = {"template": {"name": "welcome", "language": "es", "parameters": []}}
    outbound, inbound = create("Outbound", "OUTBOUND", template), create("Inbound", "INBOUND", {})
    send = ask("""mutation($id: ID!) { sendConversation(input: { conversationId: $id, users: [
        { phone: "+573001234567" }, { phone: "12" }] }) { send { id } } }""", id=outbound)["send"]["id"]
    found = ask("""query($id: ID!) { conversation(id: $id) { currentVersion { id } users { nodes { id
        deployments { nodes { id messages { nodes { id } } } } } } } }""", id=outbound)
    user = found["users"]["nodes"][0]
    deployment = user["deployments"]["nodes"][0]
    message = deployment["messages"]["nodes"][0]["id"]
    return [line, outbound, inbound, send, found["currentVersion"]["id"], user["id"], deployment["id"], message]


def text(value):
    return StringValueNode(value=value)


def flow(name):
    step = ObjectValueNode(fields=[])
    steps = ObjectValueNode(fields=[ObjectFieldNode(name=NameNode(value=name), value=step)])
    fields = [("start", text(name)), ("steps", steps)]
    return ObjectValueNode(fields=[ObjectFieldNode(name=NameNode(value=key), value=value) for key, value in fields])


strangers = st.text(max_size=40)
schemathesis.graphql.scalar("ID", (st.sampled_from(things()) | strangers).map(text))
times = st.datetimes().map(lambda time: time.isoformat() + "Z")
schemathesis.graphql.scalar("DateTime", (times | strangers).map(text))
flows = st.sampled_from(["hello", "a"]).map(flow)
lists = st.lists(strangers.map(text), max_size=3).map(lambda values: ListValueNode(values=values))
schemathesis.graphql.scalar("JSON", flows | lists | strangers.map(text))

# What would tell of the inside: paths, statements, and the words of libraries.
INSIDE = ["/root/", "/src/", "SELECT ", "INSERT ", "UPDATE ", "sqlx", "sea_orm", "SQLITE", "panicked", "thread '"]


@schemathesis.check
def nothing_fails_or_leaks(ctx, response, case):
    answered = response.text
    for error in json.loads(answered).get("errors", []):
        code = error["extensions"]["code"]
        assert code not in ("INTERNAL", "UNAVAILABLE", "TIMEOUT"), f"{code}: {error['message']}"
    for inside in INSIDE:
        assert inside not in answered or inside in json.dumps(case.body), f"{inside!r} is in the answer"
