"""The other end of a Mozilla program's --marionette: runs functions of a JavaScript file in the program's own context.

The protocol: `LENGTH:[0, id, command, parameters]` there, `LENGTH:[1, id, error, result]` back."""

import json
import socket

SCRIPT_MS = 120_000


class Marionette:
    """A session in the context of the program's windows."""

    def __init__(self, port, functions):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=SCRIPT_MS / 1000 + 10)
        self.got = b""
        self.last_id = 0
        self.functions = functions
        self._receive()
        self._command("WebDriver:NewSession", {"capabilities": {"alwaysMatch": {"timeouts": {"script": SCRIPT_MS}}}})
        self._command("Marionette:SetContext", {"value": "chrome"})

    def call(self, name, *args):
        """Runs `name(...args)` and waits for what it promises."""
        script = (
            "const done = arguments[arguments.length - 1];"
            "const given = Array.from(arguments).slice(0, -1);"
            + self.functions
            + f"\n{name}(...given).then(value => done({{value: value ?? null}}),"
            "error => done({error: String(error) + '\\n' + (error.stack || '')}));"
        )
        parameters = {"script": script, "args": list(args), "sandbox": "system", "newSandbox": False}
        answer = self._command("WebDriver:ExecuteAsyncScript", parameters)["value"]
        if "error" in answer:
            raise SystemExit(f"{name}: {answer['error']}")
        return answer["value"]

    def _command(self, name, parameters):
        self.last_id += 1
        text = json.dumps([0, self.last_id, name, parameters]).encode()
        self.socket.sendall(b"%d:%s" % (len(text), text))
        while True:
            kind, number, error, result = self._receive_list()
            if (kind, number) == (1, self.last_id):
                if error:
                    raise SystemExit(f"{name}: {error}")
                return result

    def _receive_list(self):
        message = self._receive()
        return message if isinstance(message, list) else (None, None, None, None)

    def _receive(self):
        while b":" not in self.got:
            self._more()
        length, self.got = self.got.split(b":", 1)
        while len(self.got) < int(length):
            self._more()
        message, self.got = self.got[: int(length)], self.got[int(length):]
        return json.loads(message)

    def _more(self):
        octets = self.socket.recv(65536)
        if not octets:
            raise SystemExit("the program closed its Marionette connection")
        self.got += octets
