"""Traffic of every kind of billing command from many clients at once, who remember what they were answered:
smsd may be killed under them at any time, and afterwards every account is held against their answers."""

import asyncio
import http.client
import io
import random

from smsd import answer_of, check_everywhere

ACCOUNTS = 12
HOLD_SECONDS = 600


class Asked:
    """One request under a key. `answer` is None until it was answered for good."""

    def __init__(self, path, body, key):
        self.path = path
        self.body = body
        self.key = key
        self.answer = None

    @property
    def is_done(self):
        return self.answer is not None and self.answer.status < 300


class Client:
    """Does one thing after the other, picked by its own dice; refunds its own charges, closes its own holds."""

    def __init__(self, traffic, number):
        self.traffic = traffic
        self.random = random.Random(f"{traffic.seed}-{number}")
        self.name = f"c{number}"
        self.asked = []
        self.charges = []  # ids it may refund
        self.holds = []  # ids it may close

    def account(self):
        return f"acc{int(ACCOUNTS * self.random.random() ** 2)}"

    def amount(self):
        return self.random.choice((1, 2, 3, 5, 40, 700))

    def item(self, number):
        item = {"account": self.account(), "amount": self.amount(), "reference": f"{self.name}/{number}"}
        if self.random.random() < 0.5:
            item["mode"] = "queued"
        return item

    def next(self):
        """The next request, noted."""
        path, body = self.choose()
        asked = Asked(path, body, f"{self.name}-{len(self.asked)}")
        self.asked.append(asked)
        return asked

    def choose(self):
        dice = self.random
        kind = dice.choices(("topup", "payout", "charge", "queue", "transfer", "hold", "close", "refund", "batch", "atomic"),
                            (12, 4, 20, 20, 10, 10, 10, 10, 5, 5))[0]
        if kind == "topup":
            return f"/v1/accounts/{self.account()}/topups", {"amount": 3 * self.amount()}
        if kind == "payout":
            return f"/v1/accounts/{self.account()}/payouts", {"amount": self.amount()}
        if kind == "transfer":
            payer, payee = dice.sample(range(ACCOUNTS), 2)
            return "/v1/transfers", {"from": f"acc{payer}", "to": f"acc{payee}", "amount": self.amount()}
        if kind == "hold":
            return "/v1/holds", {"account": self.account(), "amount": self.amount(), "expires_in": HOLD_SECONDS}
        if kind == "close" and self.holds:
            hold = self.holds.pop(dice.randrange(len(self.holds)))
            return f"/v1/holds/{hold}/{dice.choice(('capture', 'release'))}", {}
        if kind == "refund" and self.charges:
            return f"/v1/charges/{dice.choice(self.charges)}/refunds", dice.choice(({}, {"amount": 1}))
        if kind in ("batch", "atomic"):
            items = [self.item(number) for number in range(dice.randint(1, 20))]
            return "/v1/charges/batch" + "?atomic=true" * (kind == "atomic"), items
        item = self.item(0)
        return "/v1/charges", {**item, "mode": "queued" if kind == "queue" else "now"}

    def acknowledge(self, asked, answer):
        if answer.status == 503:
            return  # never processed, and said so
        assert answer.status < 500, answer
        asked.answer = answer
        if not asked.is_done:
            return
        body = answer.body
        if asked.path == "/v1/holds":
            self.holds.append(body["id"])
        elif asked.path == "/v1/charges":
            self.charges.append(body["id"])
        elif asked.path.startswith("/v1/charges/batch"):
            self.charges += [result["body"]["id"] for result in body["results"] if result["status"] < 300]

    async def run(self, smsd, secret):
        """Until the connection breaks."""
        try:
            reader, writer = await asyncio.open_connection(smsd.host, smsd.port)
            while True:
                asked = self.next()
                writer.write(request_of(smsd, asked, secret))
                self.acknowledge(asked, await read_answer(reader, smsd.test_clock))
                if self.random.random() < 0.02:
                    await self.freeze_or_not(smsd, secret, reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass

    async def freeze_or_not(self, smsd, secret, reader, writer):
        """Of no effect on any balance, so nobody remembers it."""
        status = "frozen" if self.random.random() < 0.3 else "active"
        writer.write(smsd.request_bytes("PATCH", f"/v1/accounts/{self.account()}", {"status": status}, key=secret))
        await read_answer(reader, smsd.test_clock)


def request_of(smsd, asked, secret):
    return smsd.request_bytes("POST", asked.path, asked.body, key=secret, headers=[f"Idempotency-Key: {asked.key}"])


class Received:
    """Bytes of one answer, for http.client to read."""

    def __init__(self, data):
        self.data = data

    def makefile(self, *_arguments):
        return io.BytesIO(self.data)


async def read_answer(reader, has_test_clock):
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    response = http.client.HTTPResponse(Received(head + await reader.readexactly(length)))
    response.begin()
    answer = answer_of(response)
    check_everywhere(answer, has_test_clock)
    return answer


class Traffic:
    def __init__(self, smsd, clients=64, seed=1):
        self.smsd = smsd
        self.seed = seed
        self.start_amount = 5000
        self.clients = [Client(self, number) for number in range(clients)]
        for number in range(ACCOUNTS):
            answer = smsd.post("/v1/accounts", {"id": f"acc{number}", "credit_limit": 100 * number})
            assert answer.status == 201, answer
            smsd.post(f"/v1/accounts/acc{number}/topups", {"amount": self.start_amount})

    def until_killed_after(self, seconds):
        async def run():
            secret = self.smsd.admin_key
            tasks = [asyncio.ensure_future(client.run(self.smsd, secret)) for client in self.clients]
            await asyncio.sleep(seconds)
            self.smsd.process.kill()
            await asyncio.gather(*tasks)

        asyncio.run(run())
        self.smsd.wait_end()

    def settle(self):
        """With smsd up again: what was asked and not answered is asked again, under the same key."""
        for client in self.clients:
            for asked in client.asked:
                if asked.answer is None:
                    client.acknowledge(asked, self.ask_again(asked))
                    assert asked.answer is not None, asked.path

    def ask_again(self, asked):
        return self.smsd.post(asked.path, asked.body, idempotency=asked.key)

    def check_replays(self, count):
        """Nothing that was answered is forgotten: its repeat is the same answer, word for word."""
        dice = random.Random(self.seed)
        known = [asked for client in self.clients for asked in client.asked if asked.answer.status != 422]
        for asked in dice.sample(known, min(count, len(known))):
            again = self.ask_again(asked)
            assert again.replayed, f"{asked.path} under {asked.key} was answered {asked.answer}, and is gone: {again}"
            assert (again.status, again.body) == (asked.answer.status, asked.answer.body)

    @property
    def answered(self):
        return sum(len(client.asked) for client in self.clients)

    def done(self):
        """(kind, request's body, answer's body) of everything that was done; items of batches are charges."""
        for client in self.clients:
            for asked in client.asked:
                if not asked.is_done:
                    continue
                body = asked.answer.body
                if asked.path.startswith("/v1/charges/batch"):
                    for item, result in zip(asked.body, body["results"]):
                        if result["status"] < 300:
                            yield "charges", item, result["body"]
                else:
                    yield asked.path.rsplit("/", 1)[1], asked.body, body


def expected_balances(traffic):
    """What the answers make of each account."""
    balances = {f"acc{number}": traffic.start_amount for number in range(ACCOUNTS)}
    for kind, asked, answer in traffic.done():
        if kind in ("topups", "payouts", "refunds"):
            balances[answer["account"]] += answer["amount"]
        elif kind == "charges":
            balances[answer["account"]] -= answer["amount"]
        elif kind == "transfers":
            balances[asked["from"]] -= asked["amount"]
            balances[asked["to"]] += asked["amount"]
        elif kind == "capture":
            balances[answer["account"]] -= answer["captured"]
    return balances
