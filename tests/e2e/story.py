"""Stories: scenarios a line a step, which read as sentences.

    # BILL-9: a repeated key charges once.
    topup   A 100
    charge  A 30 key=K1  -> settled balance=70
    charge  A 30 key=K1  -> settled balance=70 (replayed)
    charge  A 90         -> insufficient_funds

A title, "# REQUIREMENT[, …]: sentence.", begins a story; each has a smsd and a data directory of its own,
and must leave data that `smsd verify` accepts. A step is a verb, its arguments and name=value pairs, which
go into the body (a GET's: into the query). `key=` is the Idempotency-Key, `by=` the API key that speaks (one
that a `grant` made). Before "->" a step must succeed; behind it stands what is expected:

    word         the answer's code, if it is a problem, or its status field; `ok` for any success
    name=value   a member of the body; of a list, its column: `amount=-30,100`
    name=$x      remembers that member; $x stands for it in later steps
    rows=n       how many a list has
    (replayed)   an idempotent replay; without it, the answer must not be one
"""

import json
import re
import shlex

from smsd import Smsd

# verb, arguments | method, path | status of success | body beside the name=value pairs. An argument named
# in the path goes there. Later domains add rows.
VERBS = """
open         account          | POST  /v1/accounts                    | 201 | id=account
account      account          | GET   /v1/accounts/{account}          | 200 |
balance      account          | GET   /v1/accounts/{account}          | 200 |
set          account          | PATCH /v1/accounts/{account}          | 200 |
freeze       account          | PATCH /v1/accounts/{account}          | 200 | status="frozen"
unfreeze     account          | PATCH /v1/accounts/{account}          | 200 | status="active"
accounts                      | GET   /v1/accounts                    | 200 |
topup        account amount   | POST  /v1/accounts/{account}/topups   | 201 | amount=amount
payout       account amount   | POST  /v1/accounts/{account}/payouts  | 201 | amount=amount
entries      account          | GET   /v1/accounts/{account}/entries  | 200 |
charge       account amount   | POST  /v1/charges                     | 201 | account=account amount=amount
show-charge  id               | GET   /v1/charges/{id}                | 200 |
queue        account amount   | POST  /v1/charges                     | 202 | account=account amount=amount mode="queued"
refund       id               | POST  /v1/charges/{id}/refunds        | 201 |
transfer     from to amount   | POST  /v1/transfers                   | 201 | from=from to=to amount=amount
hold         account amount   | POST  /v1/holds                       | 201 | account=account amount=amount
show-hold    id               | GET   /v1/holds/{id}                  | 200 |
capture      id               | POST  /v1/holds/{id}/capture          | 200 |
release      id               | POST  /v1/holds/{id}/release          | 200 |
balance-at   account          | GET   /v1/accounts/{account}/balance  | 200 |
webhooks                      | GET   /v1/webhooks                    | 200 |
audit                         | GET   /v1/audit                       | 200 |
send         sender amount count | POST /v1/packets                    | 201 | sender=sender amount=amount count=count
grab         user id          | POST  /v1/packets/{id}/grab           | 200 | user=user
reserve      user id          | POST  /v1/packets/{id}/grab           | 200 | user=user open=false
open-share   user id          | POST  /v1/packets/{id}/open           | 200 | user=user
packet       id               | GET   /v1/packets/{id}                | 200 |
packets                       | GET   /v1/packets                     | 200 |
exceptions                    | GET   /v1/exceptions                  | 200 |
retry        id               | POST  /v1/exceptions/{id}/retry       | 200 |
close        id               | POST  /v1/exceptions/{id}/close       | 200 |
"""

TITLE = re.compile(r"# ((?:[A-Z]+-\d+(?:, )?)+): (.+)")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Verb:
    def __init__(self, row):
        words, request, status, body = (column.strip() for column in row.split("|"))
        self.name, *self.arguments = words.split()
        self.method, self.path = request.split()
        self.status = int(status)
        self.body = dict(pair.split("=", 1) for pair in body.split())


verbs = {verb.name: verb for verb in map(Verb, VERBS.strip().splitlines())}


class Story:
    """`steps` are (line number, text)."""

    def __init__(self, place, title):
        self.place = place
        self.title = title
        self.steps = []


def read_stories(path):
    """The stories of a file, in order."""
    found = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.strip()
        title = TITLE.fullmatch(line)
        if title:
            found.append(Story(f"{path.name}:{number}", line.removeprefix("# ")))
        elif line and not line.startswith("#"):
            assert found, f"{path.name}:{number}: a step before the first title"
            found[-1].steps.append((number, line))
    return found


def value_of(text):
    """A word of a story as JSON: a number, true, false, null; anything else is a text."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


class StoryFailed(Exception):
    pass


def expect(condition, text):
    if not condition:
        raise StoryFailed(text)


class Teller:
    """Plays the steps of one story."""

    def __init__(self, folder):
        self.smsd = Smsd(folder).start()
        self.memory = {}
        self.keys = {}  # API keys by the name the story gave them
        self.own_verbs = {
            "kill": self.kill, "restart": self.restart, "stop": self.stop, "verify": self.verify,
            "advance": self.advance, "grant": self.grant,
        }

    def close(self, keep=False):
        self.smsd.close(keep)

    def tell(self, text):
        action, _, expected = text.partition("->")
        expected = expected.strip()
        words = shlex.split(action)
        words = [re.sub(r"\$(\w+)", lambda found: str(self.memory[found.group(1)]), word) for word in words]
        if words[0] in self.own_verbs:
            expect(expected in ("", "ok"), f"`{words[0]}` has no outcome but ok")
            self.own_verbs[words[0]](*words[1:])
        else:
            self.request(verbs[words[0]], words[1:], expected)

    # Verbs that are not one request.

    def kill(self):
        self.smsd.kill9()

    def restart(self, *options):
        """restart [name=value…]: with these options from now on, if there are any"""
        if options:
            pairs = [option.split("=", 1) for option in options]
            self.smsd.options = [word for name, value in pairs for word in (f"--{name.replace('_', '-')}", value)]
        self.smsd.restart()

    def stop(self):
        self.smsd.stop()

    def verify(self):
        was_running = self.smsd.process is not None
        if was_running:
            self.smsd.stop()
        self.smsd.verify()
        if was_running:
            self.smsd.start()

    def advance(self, time):
        """advance 90s, 5m, 24h, 15d"""
        self.smsd.advance(int(time[:-1]) * SECONDS[time[-1]])

    def grant(self, name, *scopes):
        """An API key of that name with these scopes."""
        answer = self.smsd.post("/v1/keys", {"name": name, "scopes": list(scopes)})
        expect(answer.status == 201, repr(answer))
        self.keys[name] = answer.body["secret"]

    # Verbs that are.

    def request(self, verb, words, expected):
        values = dict(zip(verb.arguments, words))
        expect(len(values) == len(verb.arguments), f"{verb.name} takes {' '.join(verb.arguments)}")
        pairs = dict(word.split("=", 1) for word in words[len(values):])
        idempotency = pairs.pop("key", None)
        key = self.keys[pairs.pop("by")] if "by" in pairs else "admin"
        path = verb.path.format(**values)
        fields = {name: value_of(text) for name, text in pairs.items()}
        if verb.method == "GET":
            path += "?" * bool(pairs) + "&".join(f"{name}={text}" for name, text in pairs.items())
            answer = self.smsd.get(path, key=key)
        else:
            for name, source in verb.body.items():
                text = values.get(source, source)
                # An account's name is a text, whatever it looks like.
                fields.setdefault(name, text if source in ("account", "from", "to") else value_of(text))
            answer = self.smsd.request(verb.method, path, fields, key=key, idempotency=idempotency)
        self.compare(answer, verb, expected)

    def compare(self, answer, verb, expected):
        wants_replay = "(replayed)" in expected
        words = shlex.split(expected.replace("(replayed)", ""))
        names_problem = any("=" not in word and word != "ok" for word in words) and answer.is_problem
        if not names_problem:
            expect(answer.status == verb.status, f"status {answer.status}, not {verb.status}")
        expect(answer.replayed == wants_replay, "replayed" if answer.replayed else "not replayed")
        for word in words:
            if "=" in word:
                self.compare_member(answer.body, *word.split("=", 1))
            elif word == "ok":
                expect(not answer.is_problem and answer.body.get("ok", True) is True, "not ok")
            else:
                outcome = answer.code if answer.is_problem else answer.body.get("status")
                expect(outcome == word, f"outcome {outcome}, not {word}")

    def value(self, text):
        return self.memory[text[1:]] if text.startswith("$") and text[1:] in self.memory else value_of(text)

    def compare_member(self, body, name, text):
        if name == "rows":
            expect(len(body["data"]) == int(text), f"{len(body['data'])} rows, not {text}")
            return
        if "data" in body and name not in body:
            found = [row[name] for row in body["data"]]
            wanted = [self.value(one) for one in text.split(",")] if text else []
        else:
            expect(name in body, f"no member {name}")
            found, wanted = body[name], value_of(text)
        if text.startswith("$") and text[1:] not in self.memory:
            self.memory[text[1:]] = found
            return
        if text.startswith("$") and not isinstance(wanted, list):
            wanted = self.memory[text[1:]]
        expect(found == wanted, f"{name} is {json.dumps(found)}, not {json.dumps(wanted)}")
