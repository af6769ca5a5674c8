"""The rules of statuses, header fields, retries, names and lists, by number."""

import json
from email.utils import formatdate

from programs import ask
from scripted_engine import CUT, DONE, HANG, event, stream, whole
from rules_world import ASK, Rules

JSON_TYPE = b"Content-Type: application/json\r\n"


def refusal(status, fields=b"", error=None):
    body = error or {"error": {"message": f"no: {status}", "type": "engine_error", "param": "x",
                               "code": status}, "extra": [1.50]}
    return whole(body, status, JSON_TYPE + fields)


class Statuses(Rules):
    def test_rule_21_a_nodes_error_keeps_its_status_and_every_byte(self):
        gpu = self.box_before(self.scripted())
        body = (b'{ "error" : {"message":"no: \\u00e9","type":"BadRequestError","param":null,'
                b'"code":400}, "request_id":"abc" }\n')
        for status in (400, 404, 409, 413, 422, 429, 500, 503, 529):
            for stream_asked in (False, True):
                with self.subTest(status=status, stream=stream_asked):
                    gpu.then(whole(body, status, b"Content-Type: application/json; x=1\r\n"))
                    answer = self.answer({**ASK, "stream": stream_asked})
                    self.assertEqual(answer.status, status)
                    self.assert_unchanged(answer, body)
                    self.assertEqual(answer.fields["content-type"], "application/json; x=1")
                    self.box.wait_node("gpu", "up")
        self.stop_box()

    def test_rule_21_the_boxs_own_refusals_have_the_same_shape_and_the_right_status(self):
        gpu = self.scripted()
        self.box_before(gpu, limits={"body_bytes_max": 4096},
                        valve={"first_byte_ms_max": 400})
        bearer = {"Authorization": f"Bearer {self.box.key}", "Content-Type": "application/json"}
        limited = self.box.add_key("limited", "--requests-per-minute", 1)
        gpu.then(whole(b"{}"), [HANG], [CUT], [CUT])
        asked = [
            (401, {"Authorization": "Bearer sk-none"}, ASK, "authentication_error"),
            (401, {}, ASK, "authentication_error"),
            (404, bearer, {**ASK, "model": "no-such"}, "invalid_request_error"),
            (400, bearer, "{", "invalid_request_error"),
            (413, bearer, {**ASK, "x": "y" * 5000}, "invalid_request_error"),
            (200, {"Authorization": f"Bearer {limited}"}, ASK, None),
            (429, {"Authorization": f"Bearer {limited}"}, ASK, "rate_limit_error"),
            (504, bearer, {**ASK, "stream": True}, "server_error"),
            (502, bearer, ASK, "server_error")]
        for status, fields, body, kind in asked:
            with self.subTest(status=status, kind=kind):
                got, answered, text = ask(self.box.api, "POST", "/v1/chat/completions", body, fields)
                self.assertEqual(got, status, text)
                if status == 200:
                    continue
                self.assertEqual(answered["content-type"], "application/json")
                error = json.loads(text)["error"]
                self.assertEqual(list(json.loads(text)), ["error"])
                self.assertEqual(sorted(error), ["code", "message", "param", "type"])
                self.assertEqual(error["type"], kind)
                self.assertTrue(error["message"])
        status, _, text = ask(self.box.api, "POST", "/v1/nothing", ASK, bearer)
        self.assertEqual((status, list(json.loads(text))), (404, ["error"]))
        self.stop_box()

    def test_rule_21_no_node_is_503_and_a_broken_deadline_504(self):
        gpu = self.box_before(self.scripted(), breaker={"failures": 2},
                              queue={"wait_ms_max": 500})
        gpu.then([HANG])
        answer = self.answer(ASK, fields=("x-sluice-deadline-ms: 300",))
        self.assertEqual(answer.status, 504, answer.body)
        gpu.kill()
        self.box.wait_node("gpu", "down")
        answer = self.answer(ASK)
        self.assertEqual(answer.status, 503, answer.body)
        self.assertGreaterEqual(int(answer.fields["retry-after"]), 1)
        self.stop_box()


class Retries(Rules):
    def test_rule_22_after_its_own_retries_the_box_tells_the_client_not_to_retry(self):
        gpu, far = self.scripted(), self.scripted("far")
        self.box_before(gpu, far)
        for script in (lambda: refusal(503), lambda: refusal(500), lambda: refusal(429),
                       lambda: refusal(500, b"x-should-retry: true\r\n")):
            gpu.then(script())
            far.then(script())
            answer = self.answer(ASK)
            self.assertIn(answer.status, (429, 500, 503))
            self.assertEqual([line for line in answer.lines if line.lower().startswith("x-should")],
                             ["x-should-retry: false"])
            self.box.wait_node("gpu", "up")
            self.box.wait_node("far", "up")
        self.assertEqual((len(gpu.requests), len(far.requests)), (4, 4))
        self.stop_box()

    def test_rule_22_what_was_tried_once_is_left_to_the_client_and_to_the_nodes_word(self):
        gpu = self.box_before(self.scripted())
        gpu.then(refusal(503))
        self.assertNotIn("x-should-retry", self.answer(ASK).fields)
        for word in ("true", "false"):
            self.box.wait_node("gpu", "up")
            gpu.then(refusal(409, f"X-Should-Retry: {word}\r\n".encode()))
            self.assertEqual(self.answer(ASK).fields["x-should-retry"], word)
        self.stop_box()

    def test_rule_22_what_cannot_get_better_says_so(self):
        self.box_before(self.scripted())
        for body in ({**ASK, "model": "no-such"}, b"{"):
            answer = self.answer(body)
            self.assertEqual(answer.fields.get("x-should-retry"), "false", answer.body)
        self.stop_box()

    def test_rule_23_waiting_times_and_limits_pass_in_every_form(self):
        gpu = self.box_before(self.scripted())
        date = formatdate(4102444800, usegmt=True)
        limits = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-tokens": "6m0s",
                  "anthropic-ratelimit-tokens-remaining": "12",
                  "anthropic-ratelimit-unified-reset": "1700000000"}

        def passes(status, forms):
            lines = "".join(f"{name}: {value}\r\n" for name, value in forms.items())
            gpu.then(refusal(status, lines.encode()))
            answer = self.answer(ASK)
            self.assertEqual(answer.status, status)
            for name, value in forms.items():
                self.assertEqual(answer.fields[name.lower()], value)
        for wait in ({"Retry-After": "7"}, {"Retry-After": date}, {"retry-after-ms": "1500"},
                     {"Retry-After": "2", "retry-after-ms": "1500"}):
            passes(409, {**wait, **limits})
        passes(429, {"Retry-After": "7", **limits})
        # Who said 7 s is not asked before.
        asked = len(gpu.requests)
        answer = self.answer(ASK, fields=("x-sluice-deadline-ms: 100",))
        self.assertIn(answer.status, (503, 504), answer.body)
        self.assertEqual(len(gpu.requests), asked)
        self.stop_box()

    def test_rule_23_limits_of_good_answers_pass_and_the_boxs_own_wait_is_a_whole_number(self):
        gpu = self.box_before(self.scripted())
        gpu.then(whole(b"{}", fields=JSON_TYPE + b"x-ratelimit-limit-tokens: 5\r\n"
                       b"anthropic-ratelimit-requests-limit: 6\r\nopenai-processing-ms: 3\r\n"))
        answer = self.answer(ASK)
        self.assertEqual([answer.fields[name] for name in (
            "x-ratelimit-limit-tokens", "anthropic-ratelimit-requests-limit",
            "openai-processing-ms")], ["5", "6", "3"])
        limited = self.box.add_key("limited", "--requests-per-minute", 1)
        gpu.then(whole(b"{}"))
        bearer = {"Authorization": f"Bearer {limited}"}
        ask(self.box.api, "POST", "/v1/chat/completions", ASK, bearer)
        status, fields, _ = ask(self.box.api, "POST", "/v1/chat/completions", ASK, bearer)
        self.assertEqual(status, 429)
        self.assertRegex(fields["retry-after"], r"^[1-9]\d*$")
        self.assertLessEqual(int(fields["retry-after"]), 60)
        self.stop_box()


class Names(Rules):
    def aliased(self):
        gpu = self.scripted(models=("real/name-7b",))
        self.start_box([{"name": "gpu", "place": "local", "url": gpu.url, "engine": "openai",
                         "models": [{"name": "demo", "upstream": "real/name-7b",
                                     "aliases": ["dé\"mo"]}]}])
        self.box.wait_node("gpu", "up")
        return gpu

    def test_rule_33_only_the_models_value_changes_there_and_back(self):
        gpu = self.aliased()
        rest = (b', "messages":[{"role":"user","content":"\\"model\\": \\"demo\\" and \\u00e9\xc3'
                b'\xa9"}],"metadata":{"model":"demo","n":1.500e+2},  "seed":1234567890123456789}')
        told = (b'{"id":"c1","choices":[{"message":{"content":"\\"model\\":\\"real/name-7b\\""}}],'
                b'%s,"usage":{"prompt_tokens":1,"completion_tokens":1}, "x":1E2}')
        for asked in (b'"demo"', b'"d\\u00e9\\"mo"'):
            gpu.then(whole(told % b'"model" : "real/name-7b"'))
            answer = self.answer(b'{"model" :' + asked + rest)
            self.assertEqual(answer.status, 200, answer.body)
            self.assertEqual(gpu.requests[-1].body, b'{"model" :"real/name-7b"' + rest)
            name = json.dumps(json.loads(asked), ensure_ascii=False).encode()
            self.assert_unchanged(answer, told % (b'"model" : ' + name))
        self.stop_box()

    def test_rule_33_the_name_in_every_chunk_is_the_one_that_was_asked_for(self):
        gpu = self.aliased()
        events = [event({"content": "real/name-7b"}, x={"a": "real/name-7b"}), event({}, "stop")]
        body = b"".join(events) + DONE
        real = body.replace(b'"model": "demo"', b'"model": "real/name-7b"')
        self.assertNotEqual(real, body)
        gpu.then(stream(*[real[i:i + 7] for i in range(0, len(real), 7)]))
        self.assert_unchanged(self.answer(), body)
        other = body.replace(b'"model": "demo"', b'"model": "somebody-else"')
        gpu.then(stream(other))
        self.assert_unchanged(self.answer(), other)
        self.stop_box()


class Forms(Rules):
    def test_rule_32_a_form_arrives_to_the_byte_with_its_boundary(self):
        gpu = self.scripted()
        self.start_box([{"name": "gpu", "place": "local", "url": gpu.url, "engine": "openai",
                         "models": [{"name": "demo"}], "endpoints": ["audio_transcriptions"]}])
        self.box.wait_node("gpu", "up")
        form = (b"--=_b'x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\ndemo\r\n"
                b"--=_b'x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n"
                b"Content-Type: audio/wav\r\n\r\n" + bytes(range(256)) * 300
                + b"\r\n--=_b\r\n\r\n--=_b'x--\r\n\r\n")
        kind = "multipart/form-data; boundary=\"=_b'x\""
        gpu.then(whole(b'{"text":"x"}'))
        answer = self.answer(form, path="/v1/audio/transcriptions", fields=(f"Content-Type: {kind}",))
        self.assert_unchanged(answer, b'{"text":"x"}')
        self.assertEqual(gpu.requests[-1].body, form)
        self.assertEqual(gpu.requests[-1].fields["content-type"], kind)
        self.stop_box()


class Lists(Rules):
    def test_rule_34_a_key_sees_the_models_it_may_use_in_a_stable_order(self):
        gpu, far = self.scripted(), self.scripted("far")
        nodes = []
        for engine, place, names in ((gpu, "local", ("zeta", "alpha")),
                                     (far, "cloud", ("mid", "alpha"))):
            nodes.append({"name": engine.name, "place": place, "url": engine.url,
                          "engine": "openai", "models": [{"name": name} for name in names]})
        self.start_box(nodes)
        few = self.box.add_key("few", "--model", "mid", "--model", "zeta")
        home = self.box.add_key("home", "--data-class", "home-only")

        def listed(key):
            _, _, text = ask(self.box.api, "GET", "/v1/models", None,
                             {"Authorization": f"Bearer {key}"})
            told = json.loads(text)
            self.assertEqual(told["object"], "list")
            for model in told["data"]:
                self.assertEqual((model["object"], type(model["created"])), ("model", int))
            return [(model["id"], model["sluice_place"]) for model in told["data"]]
        every = listed(self.box.key)
        self.assertEqual(sorted(every), [("alpha", "local"), ("mid", "cloud"), ("zeta", "local")])
        for _ in range(5):
            self.assertEqual(listed(self.box.key), every)
        self.assertEqual(sorted(listed(few)), [("mid", "cloud"), ("zeta", "local")])
        self.assertEqual(sorted(listed(home)), [("alpha", "local"), ("zeta", "local")])
        status, _, _ = ask(self.box.api, "GET", "/v1/models")
        self.assertEqual(status, 401)
        self.stop_box()
