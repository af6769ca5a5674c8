"""The endpoints beside chat, through the daemon: each passes to nodes that speak it, messages also
to nodes that speak chat only, and who goes on from a response reaches the engine that gave it."""

import hashlib
import http.client
import json
import unittest

from programs import ask, patience
from raw_engine import RawEngine, whole
from world import World, cloud, local

CHAT_ONLY = ["chat_completions", "completions", "embeddings"]


def post(box, path, body, key=None, headers=None):
    fields = {"Content-Type": "application/json", "Authorization": f"Bearer {key or box.key}",
              **(headers or {})}
    return ask(box.api, "POST", path, body, fields)


def events_of(text):
    """[(name, data)] of a whole stream; data is JSON but for [DONE]."""
    found = []
    for block in text.replace("\r\n", "\n").split("\n\n"):
        name, data = None, None
        for line in block.split("\n"):
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                data = line[6:] if line == "data: [DONE]" else json.loads(line[6:])
        if data is not None:
            found.append((name, data))
    return found


def message(words="how high is the water?", **more):
    return {"model": "demo", "max_tokens": 6,
            "messages": [{"role": "user", "content": words}], **more}


def form(boundary, fields, content):
    """A form of one file and these fields, as bytes."""
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
             f"Content-Type: audio/wav\r\n\r\n".encode() + content + b"\r\n"]
    for name, value in fields:
        parts.append(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
                     f"{value}\r\n".encode())
    return b"".join(parts) + f"--{boundary}--\r\n".encode()


def post_bytes(box, path, content, content_type):
    host, port = box.api.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=patience(20))
    try:
        connection.request("POST", path, content, {"Authorization": f"Bearer {box.key}",
                                                   "Content-Type": content_type})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def message_as_is(_asked, connection):
    said = {"id": "msg_1", "type": "message", "role": "assistant", "model": "demo",
            "content": [{"type": "text", "text": "7 m"}], "stop_reason": "end_turn",
            "usage": {"input_tokens": 3, "output_tokens": 2}}
    connection.sendall(whole(json.dumps(said)))
    return True


class Endpoints(World):
    def check_message_stream(self, text):
        """Anthropic's order; the text, and the usage at the end."""
        events = events_of(text)
        names = [name for name, _ in events if name != "ping"]
        self.assertEqual(names[0], "message_start")
        self.assertEqual(names[-2:], ["message_delta", "message_stop"])
        self.assertEqual(names[1], "content_block_start")
        self.assertEqual(names[-3], "content_block_stop")
        self.assertEqual(set(names[2:-3]), {"content_block_delta"})
        for name, data in events:
            self.assertEqual(data["type"], name)
        words = "".join(d["delta"]["text"] for n, d in events if n == "content_block_delta")
        return words, events[-2][1]

    def test_messages_say_the_same_passed_through_and_translated(self):
        engine = self.engine("gpu")
        self.start_box([local(engine)])
        native = post(self.box, "/v1/messages", message(stream=True))
        native_whole = post(self.box, "/v1/messages", message())
        self.box.settings["nodes"] = [local(engine, endpoints=CHAT_ONLY)]
        self.box.write_settings()
        self.box.reload()
        translated = post(self.box, "/v1/messages", message(stream=True))
        whole = post(self.box, "/v1/messages", message())
        self.assertEqual([x[0] for x in (native, native_whole, translated, whole)], [200] * 4)
        words, delta = self.check_message_stream(native[2])
        same_words, same_delta = self.check_message_stream(translated[2])
        self.assertEqual(words, same_words)
        self.assertEqual(delta["delta"]["stop_reason"], same_delta["delta"]["stop_reason"])
        self.assertEqual(delta["usage"]["output_tokens"], same_delta["usage"]["output_tokens"])
        told, said = json.loads(native_whole[2]), json.loads(whole[2])
        self.assertEqual(told["content"], said["content"])
        self.assertEqual(said["content"], [{"type": "text", "text": words}])
        self.assertEqual(told["stop_reason"], said["stop_reason"])
        self.stop_box()
        rows = self.box.attempts()
        self.assertEqual({r["endpoint"] for r in rows}, {"messages"})
        self.assertEqual({(r["outcome"], r["out_reported"]) for r in rows}, {("served", 6)})

    def test_the_query_reaches_a_node_that_speaks_the_endpoint_and_no_secret_with_it(self):
        raw = RawEngine(answer=message_as_is)
        self.addCleanup(raw.close)
        self.start_box([{**local(raw), "engine": "openai", "endpoints": ["messages"]}],
                       log={"level": "debug"})
        self.box.wait_node("raw", "up")
        sent = f"/v1/messages?beta=true&include[]=a%20b&api_key={self.box.key}"
        self.assertEqual(post(self.box, sent, message())[0], 200)
        self.assertEqual(raw.asked[-1].line, "POST /v1/messages?beta=true&include[]=a%20b HTTP/1.1")
        long = "/v1/messages?x=" + "w" * 7000  # the start line may have 8 KiB
        self.assertEqual(post(self.box, long, message())[0], 200)
        self.assertEqual(raw.asked[-1].line, f"POST {long} HTTP/1.1")
        self.assertEqual(post(self.box, long + "w" * 2000, message())[0], 414)
        self.assertEqual(len(raw.asked), 2)
        raw.answer = RawEngine.answer_well
        self.box.settings["nodes"][0]["endpoints"] = CHAT_ONLY
        self.box.write_settings()
        self.box.reload()
        self.assertEqual(post(self.box, "/v1/messages?beta=true", message())[0], 200)
        self.assertEqual(raw.asked[-1].line, "POST /v1/chat/completions HTTP/1.1")
        self.stop_box()
        self.assertNotIn(self.box.key, self.box.log())
        for place in self.box.state.rglob("*"):
            if place.is_file():
                self.assertNotIn(self.box.key.encode(), place.read_bytes(), place)

    def test_tools_are_called_through_the_translation(self):
        engine = self.engine("gpu")
        self.start_box([local(engine, endpoints=CHAT_ONLY)])
        tools = [{"name": "level", "description": "of a river", "input_schema": {"type": "object"}}]
        status, _, text = post(self.box, "/v1/messages",
                               message("call level", tools=tools, max_tokens=50))
        self.assertEqual(status, 200, text)
        answer = json.loads(text)
        call = answer["content"][-1]
        self.assertEqual((call["type"], call["name"]), ("tool_use", "level"))
        self.assertEqual(answer["stop_reason"], "tool_use")
        status, _, text = post(self.box, "/v1/messages",
                               message("call level", tools=tools, max_tokens=50, stream=True))
        pieces = [d["delta"]["partial_json"] for n, d in events_of(text)
                  if n == "content_block_delta" and d["delta"]["type"] == "input_json_delta"]
        self.assertEqual(json.loads("".join(pieces)), call["input"])
        back = {"model": "demo", "max_tokens": 4, "messages": [
            {"role": "user", "content": "call level"},
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call["id"],
                                          "content": "7 m"}]}]}
        self.assertEqual(post(self.box, "/v1/messages", back)[0], 200)
        self.stop_box()

    def test_what_cannot_be_translated_and_whom_the_box_does_not_know_is_told_in_their_shape(self):
        engine = self.engine("gpu")
        self.start_box([local(engine, endpoints=CHAT_ONLY)])
        document = {"role": "user", "content": [{"type": "document", "source": {}}]}
        status, _, text = post(self.box, "/v1/messages", message() | {"messages": [document]})
        error = json.loads(text)
        self.assertEqual((status, error["type"]), (400, "error"))
        self.assertIn("messages[0].content[0].type", error["error"]["message"])
        status, _, text = post(self.box, "/v1/messages", message(), key="nobody")
        self.assertEqual((status, json.loads(text)["error"]["type"]), (401, "authentication_error"))
        status, _, text = post(self.box, "/v1/messages/count_tokens", message())
        self.assertEqual((status, json.loads(text)["error"]["type"]), (404, "not_found_error"))
        key = {"x-api-key": self.box.key, "anthropic-version": "2023-06-01"}
        status, _, _ = ask(self.box.api, "POST", "/v1/messages", message(), key)
        self.assertEqual(status, 200)
        self.stop_box()

    def test_a_response_is_gone_on_from_where_it_was_made(self):
        a, b = self.engine("a"), self.engine("b")
        self.start_box([cloud(a), cloud(b)])
        for first, other in ((a, b), (b, a), (a, b)):
            other.faults(status500=1.0)
            status, fields, text = post(self.box, "/v1/responses",
                                        {"model": "demo", "input": "hi", "max_output_tokens": 4})
            other.faults(clear=True)
            self.assertEqual((status, fields["x-sluice-node"]), (200, first.name), text)
            made = json.loads(text)["id"]
            for _ in range(4):
                status, fields, text = post(self.box, "/v1/responses", {
                    "model": "demo", "input": "more", "previous_response_id": made, "stream": True,
                    "max_output_tokens": 4})
                self.assertEqual((status, fields["x-sluice-node"]), (200, first.name), text)
                name, last = events_of(text)[-1]
                self.assertIn(name, ("response.completed", "response.incomplete"))
                made = last["response"]["id"]
        status, _, text = post(self.box, "/v1/responses", {
            "model": "demo", "input": "more", "previous_response_id": "resp_unheard"})
        self.assertEqual((status, json.loads(text)["error"]["code"]),
                         (404, "previous_response_not_found"))
        other = self.box.add_key("other")
        status, _, text = post(self.box, "/v1/responses", {
            "model": "demo", "input": "more", "previous_response_id": made}, key=other)
        self.assertEqual(status, 404, text)
        self.stop_box()

    def test_a_form_arrives_as_it_was_sent(self):
        engine = self.engine("gpu")
        self.start_box([local(engine, models=[{"name": "ears", "upstream": "demo"}])])
        recording = bytes(range(256)) * 6000 + b"\r\n--other\r\n"
        content = form("b0undary", [("model", "ears"), ("language", "de")], recording)
        status, text = post_bytes(self.box, "/v1/audio/transcriptions", content,
                                  "multipart/form-data; boundary=b0undary")
        self.assertEqual(status, 200, text)
        self.assertIn(hashlib.sha256(recording).hexdigest(), text.decode())
        self.assertIn("b0undary", text.decode())
        status, text = post_bytes(self.box, "/v1/audio/transcriptions",
                                  form("b", [("language", "de")], b"x"),
                                  "multipart/form-data; boundary=b")
        self.assertEqual(status, 400)
        self.assertIn("model", json.loads(text)["error"]["message"])
        self.stop_box()
        self.assertEqual([r["outcome"] for r in self.box.attempts()], ["served"])

    def test_an_endpoint_goes_to_the_node_that_speaks_it(self):
        gpu, far = self.engine("gpu"), self.engine("far")
        self.start_box([local(gpu, endpoints=CHAT_ONLY), cloud(far, endpoints=["rerank"])])
        status, fields, text = post(self.box, "/v1/rerank", {
            "model": "demo", "query": "water", "documents": ["river", "stone"]})
        self.assertEqual((status, fields["x-sluice-node"]), (200, "far"), text)
        self.assertEqual(len(json.loads(text)["results"]), 2)
        status, _, text = post(self.box, "/v1/audio/speech",
                               {"model": "demo", "input": "hi", "voice": "alloy"})
        self.assertEqual((status, json.loads(text)["error"]["code"]), (404, "endpoint_not_served"))
        status, _, text = post(self.box, "/v1/batches", {})
        self.assertEqual((status, json.loads(text)["error"]["code"]), (501, "not_available"))
        self.stop_box()


if __name__ == "__main__":
    unittest.main()
