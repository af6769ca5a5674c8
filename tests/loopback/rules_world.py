"""What the chapters of the wire rules share: a box before engines whose bytes the test writes."""

import json

from scripted_engine import DONE, ByteClient, ScriptedEngine, words
from world import World, cloud, local

ASK = {"model": "demo", "messages": [{"role": "user", "content": "how high is the water?"}]}
PLAIN = b"".join(words("It ", "is ", "high."))


class Rules(World):
    def scripted(self, name="gpu", **more):
        engine = ScriptedEngine(name, **more)
        self.programs.append(engine)
        return engine

    def box_before(self, *engines, **settings):
        """The first engine is local, the others are clouds behind it. The breaker stays out of it:
        a rule is tried again and again."""
        nodes = [{**local(engines[0]), "engine": "openai"}]
        nodes += [cloud(engine) for engine in engines[1:]]
        self.start_box(nodes, **{"breaker": {"failures": 1000}, **settings})
        for engine in engines:
            self.box.wait_node(engine.name, "up")
        return engines[0]

    def client(self, body=None, path="/v1/chat/completions", fields=(), **more):
        if not isinstance(body, bytes):
            body = {**(body or {**ASK, "stream": True}), **more}
        client = ByteClient(self.box.api, self.box.key, body, path, fields)
        self.addCleanup(client.sock.close)
        return client

    def answer(self, body=None, **more):
        """The whole answer, to its end or to where it breaks off."""
        return self.client(body, **more).finish()

    def outcomes(self):
        """Of the ledger's rows, after the box has ended."""
        self.stop_box()
        return [(row["node"], row["outcome"]) for row in self.box.attempts()]

    def assert_unchanged(self, answer, sent):
        """Every byte of the body, and a good end."""
        self.assertEqual(answer.body, sent)
        self.assertTrue(answer.complete, answer.body)

    def assert_told_and_cut(self, answer, sent):
        """What came before stands, an error follows it, and the end is no clean one."""
        self.assertEqual(answer.body[:len(sent)], sent)
        rest = answer.body[len(sent):]
        told = [line for line in rest.split(b"\n") if line.startswith(b"data: ")]
        self.assertEqual(len(told), 1, rest)
        error = json.loads(told[0][6:])["error"]
        self.assertEqual(sorted(error), ["code", "message", "param", "type"])
        self.assertTrue(rest.endswith(b"\n\n"), rest)
        self.assertNotIn(DONE.strip(), answer.body)
        self.assertFalse(answer.complete, "it looks whole")
