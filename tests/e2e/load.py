"""Load that knows what it was told: many connections charge under idempotency keys until smsd dies under
them, and afterwards every answer that was given is held against what smsd says then."""

import asyncio
import http.client
import json
import random

PAGE = 400  # requests in one pipeline when checking


class Charge:
    """One key and what it asks for. `answer` is the first acknowledged answer, None while unknown."""

    def __init__(self, key, account, amount):
        self.key = key
        self.account = account
        self.amount = amount
        self.answer = None

    def body(self):
        return {"account": self.account, "amount": self.amount}


class Load:
    """`accounts` accounts with plenty, and one that cannot pay. Remembers everything over all rounds."""

    def __init__(self, smsd, accounts=8, seed=1):
        self.smsd = smsd
        self.random = random.Random(seed)
        self.charges = {}  # key -> Charge
        self.unchecked = []  # keys of this round
        self.plenty = 10 ** 12
        self.accounts = [f"load{number}" for number in range(accounts)]
        for account in self.accounts:
            self.top_up(account, self.plenty)
        self.top_up("poor", 1)
        self.top_up("filler", self.plenty)
        self.filled = 0  # charged to it and acknowledged
        self.filled_max = 0  # charged to it, known or not

    def top_up(self, account, amount):
        answer = self.smsd.post(f"/v1/accounts/{account}/topups", {"amount": amount}, idempotency=f"top-{account}")
        assert answer.status == 201, answer

    def next_charge(self):
        account = "poor" if self.random.random() < 0.02 else self.random.choice(self.accounts)
        charge = Charge(f"k{len(self.charges)}", account, self.random.randint(2, 99))
        self.charges[charge.key] = charge
        self.unchecked.append(charge)
        return charge

    # Under way.

    async def one_connection(self, requests_max):
        """Charges, one after the other, until the connection breaks."""
        smsd = self.smsd
        try:
            reader, writer = await asyncio.open_connection(smsd.host, smsd.port)
            while requests_max is None or requests_max > 0:
                requests_max = None if requests_max is None else requests_max - 1
                charge = self.next_charge()
                writer.write(smsd.request_bytes("POST", "/v1/charges", charge.body(), key=self.key,
                                                headers=[f"Idempotency-Key: {charge.key}"]))
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                self.acknowledge(charge, int(head.split(b" ", 2)[1]), await reader.readexactly(length))
            writer.close()
        except (OSError, asyncio.IncompleteReadError):
            pass

    def acknowledge(self, charge, status, raw):
        if status == 503:
            return  # never processed, and said so
        assert status == (402 if charge.account == "poor" else 201), raw
        charge.answer = json.loads(raw)

    async def run(self, connections, seconds, requests_max):
        tasks = [asyncio.ensure_future(self.one_connection(requests_max)) for _ in range(connections)]
        if seconds is not None:
            await asyncio.sleep(seconds)
            self.smsd.process.kill()
        await asyncio.gather(*tasks)

    def until_killed_after(self, seconds, connections=64):
        """Runs under load and is killed after that time. How many were acknowledged."""
        return self.until_dead(seconds=seconds, connections=connections)

    def until_dead(self, seconds=None, connections=64, requests_max=None):
        """Runs until smsd dies, of itself or after `seconds`; or until each connection has sent
        `requests_max`. How many were acknowledged."""
        self.key = self.smsd.admin_key
        asyncio.run(self.run(connections, seconds, requests_max))
        return sum(charge.answer is not None for charge in self.unchecked)

    def fill(self, charges, items=5000):
        """As many charges of 1 in large batches: the quickest way to a long journal. Ends early if smsd
        dies."""
        connection = http.client.HTTPConnection(self.smsd.host, self.smsd.port, timeout=60)
        headers = {"Authorization": f"Bearer {self.smsd.admin_key}", "Content-Type": "application/json"}
        item = {"account": "filler", "amount": 1, "reference": "r" * 128}
        body = json.dumps([item] * items)
        try:
            for _ in range(0, charges, items):
                self.filled_max += items
                connection.request("POST", "/v1/charges/batch", body, headers)
                answer = json.loads(connection.getresponse().read())
                assert answer["failed"] == 0
                self.filled += items
        except (OSError, http.client.HTTPException):
            pass
        connection.close()

    # Afterwards.

    def check(self, sample=200):
        """With smsd up again: every charge that was acknowledged is there, exactly once; what was not
        known is settled by asking again under its key; balances are what the charges make them."""
        older = [charge for charge in self.charges.values() if charge.answer is not None]
        again = self.unchecked + self.random.sample(older, min(sample, len(older)))
        for start in range(0, len(again), PAGE):
            self.repeat(again[start:start + PAGE])
        self.unchecked = []
        for account in self.accounts:
            spent = sum(charge.amount for charge in self.charges.values() if charge.account == account)
            found = self.smsd.get(f"/v1/accounts/{account}").body["balance"]
            assert found == self.plenty - spent, f"{account}: {found}, not {self.plenty - spent}"
        assert self.smsd.get("/v1/accounts/poor").body["balance"] == 1
        filled = self.plenty - self.smsd.get("/v1/accounts/filler").body["balance"]
        assert self.filled <= filled <= self.filled_max
        audit = self.smsd.get("/v1/audit").body
        assert audit["ok"] is True and audit["sum"] == 0, audit

    def repeat(self, charges):
        """Each asked for again under its key: what was acknowledged must be a replay, word for word."""
        answers = self.smsd.pipeline([("POST", "/v1/charges", charge.body(), [f"Idempotency-Key: {charge.key}"])
                                      for charge in charges])
        for charge, answer in zip(charges, answers):
            if charge.answer is None:
                self.acknowledge(charge, answer.status, answer.raw)
                assert charge.answer is not None, answer
            else:
                assert answer.replayed, f"{charge.key} was acknowledged and is gone: {answer}"
                assert answer.body == charge.answer, f"{charge.key}: {answer} was {charge.answer}"
        settled = [charge for charge in charges if "id" in charge.answer]
        found = self.smsd.pipeline([("GET", f"/v1/charges/{charge.answer['id']}", None) for charge in settled])
        for charge, answer in zip(settled, found):
            assert answer.status == 200, f"{charge.key}: {answer}"
            shown = answer.body
            assert (shown["account"], shown["amount"], shown["status"]) == (charge.account, charge.amount, "settled")

    def check_history(self):
        """No charge applied twice: each account's entries are its charges and its top-up, no more."""
        for account in self.accounts:
            charges = {charge.answer["entry"]: charge.amount for charge in self.charges.values()
                       if charge.account == account}
            rows, after = [], ""
            while after is not None:
                page = self.smsd.get(f"/v1/accounts/{account}/entries?type=charge&limit=500{after}").body
                rows += page["data"]
                after = f"&after={page['next']}" if page["next"] else None
            assert len(rows) == len(charges)
            assert {row["id"]: -row["amount"] for row in rows} == charges
