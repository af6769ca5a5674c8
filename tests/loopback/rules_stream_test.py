"""The rules of streams, by number: what must hold for server-sent events that pass through the box.
Bytes pass unchanged but for the declared edits: a usage chunk that only the box asked for is left
out, an aliased model's name is the client's, comments keep a waiting stream open, and an error event
ends a stream that broke off."""

import gzip
import json

from programs import wait_until
from scripted_engine import (CUT, DONE, HANG, RESET, STREAM, Gate, event, head, stream, whole,
                             words)
from rules_world import ASK, PLAIN, Rules

USAGE = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
NO_CHOICES = (b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"demo",'
              b'"choices":[],"usage":' + json.dumps(USAGE).encode() + b'}\n\n')


class Framing(Rules):
    def test_rule_01_a_stream_keeps_its_content_type_and_never_has_a_length(self):
        gpu = self.box_before(self.scripted())
        body = PLAIN + DONE
        for kind in ("text/event-stream", "text/event-stream;charset=UTF-8",
                     "Text/Event-Stream; x=y"):
            fields = f"Content-Type: {kind}\r\n".encode()
            told = [head(fields=fields) + b"Content-Length: %d\r\n\r\n" % len(body) + body]
            for script in (stream(body, fields=fields), told):
                gpu.then(script)
                answer = self.answer()
                self.assertEqual(answer.fields["content-type"], kind)
                self.assertNotIn("content-length", answer.fields)
                self.assertEqual(answer.fields["transfer-encoding"], "chunked")
                self.assert_unchanged(answer, body)
        self.stop_box()

    def test_rule_02_all_ends_of_lines_comments_and_several_data_lines_pass_and_are_understood(self):
        gpu = self.box_before(self.scripted())
        first, second = (json.loads(w[6:]) for w in words("one", "two"))
        texts = [json.dumps(first), json.dumps(second)]
        split = json.dumps(first, indent=1).encode().replace(b"\n", b"\ndata: ")
        for end in (b"\n", b"\r\n", b"\r"):
            blank = end + end
            body = (b": a comment" + blank + b"event: message" + end
                    + b"data:" + texts[0].encode() + blank + b"id: 7" + end + b"retry: 100" + end
                    + b"data: " + texts[1].encode() + blank
                    + b"data: " + split.replace(b"\n", end) + blank
                    + b"data:[DONE]" + blank)
            gpu.then(stream(body))
            self.assert_unchanged(self.answer(), body)
            # The same a byte at a time: a CR and its LF come in different chunks.
            gpu.then(stream(*[body[i:i + 1] for i in range(len(body))]))
            self.assert_unchanged(self.answer(), body)
        self.stop_box()
        rows = self.box.attempts()
        self.assertEqual([(r["outcome"], r["out_counted"]) for r in rows], [("served", 3)] * 6)

    def test_rule_02_usage_in_several_data_lines_is_read_and_left_out(self):
        gpu = self.box_before(self.scripted())
        chunk_of_usage = json.loads(NO_CHOICES[6:])
        lines = b"data: " + json.dumps(chunk_of_usage, indent=1).encode().replace(
            b"\n", b"\ndata: ") + b"\n\n"
        gpu.then(stream(PLAIN, lines, DONE))
        self.assert_unchanged(self.answer(), PLAIN + DONE)
        self.stop_box()
        self.assertEqual([(r["in_reported"], r["out_reported"]) for r in self.box.attempts()],
                         [(5, 3)])

    def test_rule_03_done_ends_the_stream_even_where_the_node_keeps_its_answer_open(self):
        gpu = self.box_before(self.scripted())
        gpu.then(stream(PLAIN, DONE, HANG, end=False))
        self.assert_unchanged(self.answer(), PLAIN + DONE)
        gpu.then(stream(PLAIN, DONE, b": bye\n\n"))
        self.assertEqual(self.answer().body[:len(PLAIN + DONE)], PLAIN + DONE)
        self.assertEqual(self.outcomes(), [("gpu", "served")] * 2)

    def test_rule_04_a_truncated_stream_never_ends_clean(self):
        gpu = self.box_before(self.scripted())
        half = event({"content": "never whole"})[:40]
        until_close = [head() + b"Connection: close\r\n\r\n" + PLAIN]
        for name, script, sent in (
                ("all chunks, but no [DONE]", stream(PLAIN), PLAIN),
                ("closed between chunks", stream(PLAIN, CUT, end=False), PLAIN),
                ("reset between chunks", stream(PLAIN, RESET, end=False), b""),
                ("closed within a chunk", stream(PLAIN, end=False) + [b"ff\r\nda", CUT], PLAIN),
                ("closed within an event", stream(PLAIN + half, CUT, end=False), PLAIN),
                ("all chunks, but half an event", stream(PLAIN + half), PLAIN),
                ("a stream until close", until_close + [CUT], PLAIN),
                ("fewer bytes than told",
                 [head() + b"Content-Length: 9999\r\n\r\n" + PLAIN, CUT], PLAIN)):
            with self.subTest(name):
                gpu.then(script)
                answer = self.answer()
                if name.startswith("reset"):  # what was on its way may be lost, no more than that
                    self.assertNotIn(b"[DONE]", answer.body)
                    self.assertIn(b'"error"', answer.body)
                    self.assertFalse(answer.complete and answer.status == 200, answer.body)
                    continue
                if answer.body.startswith(PLAIN + half):  # as much of an event as there was
                    sent = PLAIN + half
                self.assert_told_and_cut(answer, sent)
        self.assertNotIn("served", {outcome for _, outcome in self.outcomes()})

    def test_rule_05_an_error_in_mid_stream_passes_as_it_is_and_is_booked_as_a_failure(self):
        gpu = self.box_before(self.scripted())
        for told in (b'data: {"error":{"message":"EngineCore died","type":"x","param":null,'
                     b'"code":500}}\n\n',
                     b'event: error\ndata: {"message":"EngineCore died"}\n\n'):
            gpu.then(stream(PLAIN, told, DONE))
            self.assert_unchanged(self.answer(), PLAIN + told + DONE)
            gpu.then(stream(PLAIN, told))  # nothing after it: the box must not invent an end
            self.assert_unchanged(self.answer(), PLAIN + told)
        self.assertEqual(self.outcomes(), [("gpu", "cut")] * 4)

    def test_rule_06_events_with_names_that_nobody_knows_pass(self):
        gpu = self.box_before(self.scripted())
        body = b"".join([
            b"event: response.future_thing\ndata: {\"type\":\"response.future_thing\"}\n\n",
            b"event: transcript.text.delta\ndata: {\"delta\":\"x\"}\n\n",
            b"event: ping\ndata: {}\n\n", b"data: not even JSON\n\n", b"data\n\n", b"data:\n\n",
            b"event: only a name\n\n", b"unknown: field\n\n", PLAIN, DONE])
        gpu.then(stream(body))
        self.assert_unchanged(self.answer(), body)
        self.assertEqual(self.outcomes(), [("gpu", "served")])


class Content(Rules):
    def test_rule_08_usage_passes_where_it_was_asked_for_and_is_read_anywhere(self):
        gpu = self.box_before(self.scripted())
        nulls = event({"content": "x"}, usage=None)
        together = event({}, finish="stop", usage=USAGE)
        for usage in (NO_CHOICES, together):
            gpu.then(stream(nulls, usage, DONE))
            answer = self.answer(stream_options={"include_usage": True}, stream=True, body=ASK)
            self.assert_unchanged(answer, nulls + usage + DONE)
        self.stop_box()
        self.assertEqual([(r["in_reported"], r["out_reported"]) for r in self.box.attempts()],
                         [(5, 3)] * 2)

    def test_rule_09_usage_that_only_the_box_asked_for_is_asked_upstream_and_left_out(self):
        gpu = self.box_before(self.scripted())
        asked = [
            (b'{"model":"demo", "stream" : true,"messages":[] }',
             b'{"model":"demo", "stream" : true,"messages":[] ,"stream_options":'
             b'{"include_usage":true}}'),
            (b'{"model":"demo","stream":true,"stream_options":{"include_usage":false},'
             b'"messages":[]}', None),
            (b'{"model":"demo","stream":true,"stream_options":{"include_obfuscation":false},'
             b'"messages":[],"future":{"a":[1, 2.50e1]}}', None),
            (b'{"model":"demo","stream":true,"stream_options":null,"messages":[]}', None)]
        together = event({}, finish="stop", usage=USAGE)
        for body, expected in asked:
            gpu.then(stream(PLAIN, NO_CHOICES, DONE), stream(PLAIN, together, DONE))
            self.assert_unchanged(self.answer(body), PLAIN + DONE)
            self.assert_unchanged(self.answer(body), PLAIN + together + DONE)
            sent = gpu.requests[-1].body
            if expected:
                self.assertEqual(sent, expected)
            options = json.loads(sent)["stream_options"]
            self.assertIs(options["include_usage"], True)
            before, after = json.loads(body), json.loads(sent)
            del after["stream_options"]
            for name, value in (before.pop("stream_options", None) or {}).items():
                self.assertIn(name, options)
                if name != "include_usage":
                    self.assertEqual(options[name], value)
            self.assertEqual(before, after)
        whole_ask = b'{"model":"demo","messages":[],"stream":false}'
        gpu.then(whole({"choices": [], "usage": USAGE}))
        self.answer(whole_ask)
        self.assertEqual(gpu.requests[-1].body, whole_ask)
        self.stop_box()
        self.assertEqual({(r["in_reported"], r["out_reported"]) for r in self.box.attempts()},
                         {(5, 3)})

    def test_rules_10_11_obfuscation_and_fields_that_nobody_knows_pass(self):
        gpu = self.box_before(self.scripted())
        events = [
            event({"role": "assistant", "content": ""}, obfuscation="aH7xQ"),
            event({"reasoning_content": "hm"}, system_fingerprint="fp_1", service_tier="default"),
            event({"reasoning": "hm", "thinking_blocks": [{"a": 1}]}, obfuscation=""),
            event({"content": "x"}, prompt_logprobs=None, kv_transfer_params={"b": [1.0, 2e-7]}),
            b'data: {"choices":[{"index":0,"delta":{"content":"y"},"logprobs":{"content":[{"token":'
            b'"y","logprob":-0.10,"bytes":[121],"top_logprobs":[]}]},"token_ids":[7]}],  "x" : 1E5}'
            b'\n\n']
        body = b"".join(events) + DONE
        gpu.then(stream(*events, DONE))
        self.assert_unchanged(self.answer(), body)
        one = (b'{"id":"c","choices":[{"message":{"content":"x","reasoning_content":"hm",'
               b'"annotations":[ ]},"logprobs":null}],"system_fingerprint":"fp","usage":{"prompt_'
               b'tokens":1,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":0}}}\n')
        gpu.then(whole(one))
        answer = self.answer(ASK)
        self.assert_unchanged(answer, one)
        self.assertEqual(answer.fields["content-length"], str(len(one)))
        self.stop_box()

    def test_rule_12_fragments_of_tool_calls_pass_byte_for_byte_and_are_never_said_twice(self):
        gpu, far = self.scripted(), self.scripted("far")
        self.box_before(gpu, far)

        def call(index, text, **more):
            function = {"arguments": text, **({"name": more.pop("name")} if "name" in more else {})}
            return event({"tool_calls": [{"index": index, **more, "function": function}]})
        events = [call(0, "", id="call_a", type="function", name="level"), call(0, '{"pl'),
                  call(1, '', id="call_b", type="function", name="gate"), call(0, 'ace":"\\u00e'),
                  call(1, '{}'), call(0, '9 \\"x'), call(0, '\\""}'), event({}, "tool_calls")]
        gpu.then(stream(*events, DONE))
        self.assert_unchanged(self.answer(), b"".join(events) + DONE)
        # Broken off after some fragments: another node would say them again.
        gpu.then(stream(*events[:4], CUT, end=False))
        far.then(stream(*events, DONE))
        self.assert_told_and_cut(self.answer(), b"".join(events[:4]))
        self.assertEqual(far.requests, [])
        self.stop_box()

    def test_rule_13_characters_split_over_chunks_stay_whole(self):
        gpu = self.box_before(self.scripted())
        body = b"".join(words("é", "水位", "\U0001F680\U0001F469‍\U0001F52C", "ﷺ ")) + DONE
        gpu.then(stream(*[body[i:i + 1] for i in range(len(body))]))
        self.assert_unchanged(self.answer(), body)
        for cut in range(1, 4):
            gpu.then(stream(*[body[i:i + cut] for i in range(0, len(body), cut)]))
            self.assert_unchanged(self.answer(), body)
        body.decode()
        self.stop_box()

    def test_rule_14_each_event_is_passed_on_before_the_next_one_is_there(self):
        gpu = self.box_before(self.scripted())
        gates = [Gate() for _ in range(5)]
        events = words(*"abcde")
        steps = [part for pair in zip(events, gates) for part in pair]
        gpu.then(stream(*steps, DONE))
        client = self.client()
        client.begin()
        for one, gate in zip(events, gates):  # the engine says no more until this one has arrived
            client.until(one)
            self.assertTrue(client.answer.body.endswith(one))
            gate.set()
        self.assert_unchanged(client.finish(), b"".join(events) + DONE)
        self.stop_box()

    def test_rule_20_choices_chunks_without_any_and_first_chunks_with_a_role_pass(self):
        gpu = self.box_before(self.scripted())
        filters = b'data: {"choices":[],"prompt_filter_results":[{"prompt_index":0}]}\n\n'
        both = (b'data: {"choices":[{"index":1,"delta":{"content":"b"}},'
                b'{"index":0,"delta":{"content":"a"}}]}\n\n')
        nulls = b'data: {"choices":[],"usage":null}\n\n'
        body = filters + event({"role": "assistant"}) + both + nulls + event({}, "stop") + DONE
        gpu.then(stream(body))
        self.assert_unchanged(self.answer(n=2, body={**ASK, "stream": True}), body)
        self.assertEqual(self.outcomes(), [("gpu", "served")])


class Waiting(Rules):
    QUICK = {"limits": {"keepalive_comment_ms": 120}}
    COMMENT = b": waiting\n\n"

    def test_rule_15_comments_keep_a_waiting_stream_open_and_the_answer_follows(self):
        gpu = self.box_before(self.scripted(), **self.QUICK)
        gate = Gate()
        gpu.then([gate] + stream(PLAIN, DONE))
        client = self.client()
        head_seen = client.begin()
        self.assertEqual(head_seen.status, 200)
        self.assertTrue(head_seen.fields["content-type"].startswith("text/event-stream"))
        client.until(self.COMMENT * 3)
        self.assertEqual(client.answer.body.replace(self.COMMENT, b""), b"")
        gate.set()
        answer = client.finish()
        self.assertEqual(answer.body.replace(self.COMMENT, b""), PLAIN + DONE)
        self.assertTrue(answer.body.endswith(PLAIN + DONE), "a comment within the answer")
        self.assertTrue(answer.complete)
        self.stop_box()

    def test_rule_15_an_early_refusal_keeps_its_status_a_late_one_is_an_event(self):
        gpu = self.box_before(self.scripted(), limits={"keepalive_comment_ms": 400})
        refusal = {"error": {"message": "too long", "type": "x", "param": None, "code": 400}}
        gpu.then(whole(refusal, 400))
        self.assertEqual(self.answer().status, 400)
        gate = Gate()
        gpu.then([gate] + whole(refusal, 400))
        client = self.client()
        client.begin()
        comments = client.until(self.COMMENT)
        gate.set()
        answer = client.finish()
        answer.body = answer.body.replace(comments, b"", 1).replace(self.COMMENT, b"")
        self.assert_told_and_cut(answer, b"")
        self.stop_box()

    def test_rule_15_an_answer_that_need_not_wait_has_no_comments_and_a_whole_one_never(self):
        gpu = self.box_before(self.scripted(), **self.QUICK)
        gpu.then(stream(PLAIN, DONE))
        self.assert_unchanged(self.answer(), PLAIN + DONE)
        gate = Gate()
        gpu.then([gate] + whole(b"{}"))
        client = self.client(ASK)
        wait_until(lambda: len(gpu.requests) == 2, "the engine is asked")
        with self.assertRaises(TimeoutError):
            client.sock.settimeout(0.5)
            client.sock.recv(1)
        client.sock.settimeout(20)
        gate.set()
        self.assert_unchanged(client.finish(), b"{}")
        self.stop_box()

    def test_rule_16_a_stream_is_never_compressed_and_says_so_on_its_way(self):
        gpu = self.box_before(self.scripted())
        gpu.then(stream(PLAIN, DONE, fields=STREAM + b"Cache-Control: public\r\n"))
        answer = self.answer(fields=("Accept-Encoding: gzip, br",))
        self.assert_unchanged(answer, PLAIN + DONE)
        self.assertEqual(gpu.requests[-1].fields["accept-encoding"], "identity")
        self.assertNotIn("content-encoding", answer.fields)
        self.assertEqual(answer.fields["x-accel-buffering"], "no")
        self.assertEqual(answer.fields["cache-control"], "no-cache, no-transform")
        self.stop_box()

    def test_rule_16_a_node_that_compresses_all_the_same_is_not_passed_on(self):
        gpu, far = self.scripted(), self.scripted("far")
        self.box_before(gpu, far)
        packed = gzip.compress(PLAIN + DONE)
        coded = STREAM + b"Content-Encoding: gzip\r\n"
        gpu.then(stream(packed, fields=coded))
        far.then(stream(PLAIN, DONE))
        answer = self.answer()
        self.assertNotIn("content-encoding", answer.fields)
        self.assert_unchanged(answer, PLAIN + DONE)
        gpu.then(whole(gzip.compress(b"{}"),
                       fields=b"Content-Type: application/json\r\nContent-Encoding: gzip\r\n"))
        far.then(whole(b"{}"))
        self.assert_unchanged(self.answer(ASK), b"{}")
        # `identity` is no coding.
        gpu.then(stream(PLAIN, DONE, fields=STREAM + b"Content-Encoding: identity\r\n"))
        self.assert_unchanged(self.answer(), PLAIN + DONE)
        self.stop_box()


class Retrying(Rules):
    def test_rule_19_before_the_first_byte_another_node_is_asked_after_it_never(self):
        gpu, far = self.scripted(), self.scripted("far")
        self.box_before(gpu, far)
        good = stream(PLAIN, DONE)
        for script in (whole({"error": {}}, 500), [CUT], [RESET], [b"not HTTP\r\n\r\n", CUT],
                       stream(CUT, end=False), stream(b'data: {"error":{"message":"no"}}\n\n')):
            gpu.then(script)
            far.then(good)
            self.assert_unchanged(self.answer(), PLAIN + DONE)
        asked = len(far.requests)
        begun = words("one ")[0]
        for end in (CUT, RESET):
            gate = Gate()
            gpu.then(stream(begun, gate, end, end=False))
            client = self.client()
            client.begin()
            client.until(begun)
            gate.set()
            self.assert_told_and_cut(client.finish(), begun)
        self.assertEqual(len(far.requests), asked)
        self.stop_box()
