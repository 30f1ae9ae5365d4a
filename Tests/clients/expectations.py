"""What a server owes each input, told from its bytes alone.

An input gets some number of replies that carry an id, and some number that carry none. Where the protocol leaves a
choice both counts are ranges, and so is their sum.
"""

import json
import re
from dataclasses import dataclass, field

#: Deeper values, longer ids and longer inputs than these may be refused; a refusal need not name the id.
PLAIN_DEPTH = 32
PLAIN_ID = 200
PLAIN_SIZE = 512 * 1024
#: Codes that any of the revisions has a use for, but for an internal error: no input may cause one.
CODES = {-32700, -32600, -32601, -32602, -32002, -32020, -32021, -32022}


class Number(str):
    """A number as it is spelled: no conversion loses digits."""


@dataclass
class Expectation:
    """Bounds on replies: `ids` by the key of the id, `anonymous` those without one, `total` both together."""

    ids: dict = field(default_factory=dict)
    anonymous: tuple[int, int] = (0, 0)
    total: tuple[int, int] = (0, 0)

    @staticmethod
    def nothing():
        return Expectation()

    @staticmethod
    def refusal():
        return Expectation({}, (1, 1), (1, 1))

    @staticmethod
    def perhaps_refusal():
        return Expectation({}, (0, 1), (0, 1))

    @staticmethod
    def answer(key):
        return Expectation({key: (1, 1)}, (0, 0), (1, 1))

    @staticmethod
    def answer_or_refusal(key):
        return Expectation({key: (0, 1)}, (0, 1), (1, 1))


def identifier(value):
    """The key of an id that a request may have, else None. Strings and integers never share a key."""
    if isinstance(value, Number):
        return ("number", str(value)) if re.fullmatch(r"-?\d+", value) else None
    return ("text", value) if isinstance(value, str) else None


def load(data):
    """The value of JSON bytes with numbers as spelled, and whether something in it may be refused though it is JSON."""
    doubtful = False

    def pairs(items):
        nonlocal doubtful
        result = dict(items)
        doubtful = doubtful or len(result) != len(items)
        return result

    def constant(text):
        raise ValueError(f"{text} is not JSON")

    text = data.decode("utf-8")
    value = json.loads(text, parse_int=Number, parse_float=Number, parse_constant=constant, object_pairs_hook=pairs)
    if "\\u" in text:
        # Half of a pair is JSON by its grammar, and no Unicode text.
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except (UnicodeEncodeError, RecursionError):
            doubtful = True
    return value, doubtful or depth(text) > PLAIN_DEPTH or len(data) > PLAIN_SIZE


def depth(text):
    """An upper bound of the nesting of a JSON text: brackets in strings count too."""
    deepest = level = 0
    for mark in re.findall(r"[\[\]{}]", text):
        level += 1 if mark in "[{" else -1
        deepest = max(deepest, level)
    return deepest


def expect(data):
    """What one line, or one body, is owed."""
    if data.strip(b" \t\r\n") == b"":
        return Expectation.nothing() if data in (b"", b"\r") else Expectation.perhaps_refusal()
    try:
        value, doubtful = load(data)
    except RecursionError:
        return Expectation({}, (0, 1), (0, 1))
    except ValueError:
        return Expectation.refusal()
    if not isinstance(value, dict):
        return Expectation.refusal()

    key = identifier(value.get("id"))
    method = value.get("method")
    envelope = value.get("jsonrpc") == "2.0" and not isinstance(value.get("jsonrpc"), Number)
    named = isinstance(method, str) and not isinstance(method, Number)
    params = value.get("params", {})
    answers = "result" in value or "error" in value
    if not named and "method" not in value and answers:
        return Expectation.perhaps_refusal()
    if "id" not in value:
        if not (envelope and named) or answers or doubtful:
            return Expectation.perhaps_refusal() if "method" in value or doubtful else Expectation.refusal()
        return Expectation.nothing()
    if key is None:
        number = value["id"]
        if isinstance(number, Number):
            # 1.0 and 1e2 are integers to a JSON schema, and not to everyone.
            return Expectation.answer_or_refusal(("number", str(number)))
        return Expectation.refusal()
    if not (envelope and named) or answers or doubtful or len(key[1]) > (15 if key[0] == "number" else PLAIN_ID):
        return Expectation.answer_or_refusal(key)
    if not isinstance(params, dict):
        return Expectation.answer_or_refusal(key)
    if method == "subscriptions/listen":
        # Open for as long as nobody closes it.
        return Expectation({key: (0, 1)}, (0, 0), (0, 1))
    return Expectation.answer(key)


def cancelled(data):
    """The id that a notification of these bytes may cancel, or None."""
    if b"cancelled" not in data:
        return None
    try:
        value, _ = load(data)
        return identifier(value["params"]["requestId"])
    except (ValueError, RecursionError, TypeError, KeyError):
        return None


def judge_code(message):
    """What is wrong with a reply's error, or None."""
    error = message.get("error")
    if error is None:
        return None if isinstance(message.get("result"), dict) else "a reply with neither a result nor an error"
    code = error.get("code") if isinstance(error, dict) else None
    if not isinstance(code, Number) or not isinstance(error.get("message"), str):
        return "an error without code or message"
    if int(code) not in CODES and -32768 <= int(code) <= -32000:
        return f"the error code {code}: {error['message'][:200]!r}"
    return None


class Ledger:
    """Adds the expectations of many inputs, and compares them with the replies that came."""

    def __init__(self, open=()):
        #: Ids of requests before these inputs that may still be in flight.
        self.open = open
        self.ids = {}
        #: How many replies of either kind the requests with an id have to have.
        self.owed = {}
        self.anonymous = [0, 0]
        self.total = [0, 0]
        self.replies = {}
        self.refusals = 0

    def owe(self, expectation):
        for key, (low, high) in expectation.ids.items():
            self.owed[key] = self.owed.get(key, 0) + expectation.total[0]
            if key not in self.ids and key not in self.open:
                self.ids[key] = [low, high]
                continue
            # A second request with an id that is in flight may be refused, and a refusal with that id would pass
            # for the answer of the first.
            bounds = self.ids.setdefault(key, [0, 1])
            bounds[0] = min(bounds[0], low)
            bounds[1] += high
            self.anonymous[1] += 1
            self.total[1] += key in self.open
        for bounds, more in ((self.anonymous, expectation.anonymous), (self.total, expectation.total)):
            bounds[0] += more[0]
            bounds[1] += more[1]

    def forgive(self, keys):
        """A request that was cancelled may stay without a reply."""
        for key in set(keys):
            if key in self.ids:
                self.total[0] -= self.owed.pop(key, 0)
                self.ids[key][0] = 0

    def replied(self, message):
        """Takes a reply, with numbers as spelled. Returns what is wrong with it on its own, or None."""
        if "id" not in message:
            self.refusals += 1
            return None
        key = identifier(message["id"])
        if key is None:
            return f"a reply with the id {message['id']!r}"
        if key not in self.ids and key in self.open:
            return None
        self.replies[key] = self.replies.get(key, 0) + 1
        if key not in self.ids:
            return f"a reply to {key[1]!r} ({key[0]}), which no input asked for"
        return None

    @property
    def settled(self):
        """Whether everything owed at least has come."""
        return (self.refusals >= self.anonymous[0]
                and self.refusals + sum(self.replies.values()) >= self.total[0]
                and all(self.replies.get(key, 0) >= low for key, (low, _) in self.ids.items()))

    def faults(self):
        """What is missing or too much, as sentences."""
        for key, (low, high) in self.ids.items():
            count = self.replies.get(key, 0)
            if not low <= count <= high:
                yield f"{count} replies to the id {key[1][:80]!r} ({key[0]}), expected {low} to {high}"
        if not self.anonymous[0] <= self.refusals <= self.anonymous[1]:
            yield f"{self.refusals} errors without an id, expected {self.anonymous[0]} to {self.anonymous[1]}"
        count = self.refusals + sum(self.replies.values())
        if not self.total[0] <= count <= self.total[1]:
            unsure = [key[1][:80] for key, (_, high) in self.ids.items() if self.replies.get(key, 0) < high]
            yield (f"{count} replies in all, expected {self.total[0]} to {self.total[1]}; {self.refusals} without an id, "
                   f"expected {self.anonymous[0]} to {self.anonymous[1]}; not answered by id: {unsure}")
