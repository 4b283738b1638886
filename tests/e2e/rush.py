"""A rush on red packets: many connections, a user each, grab at once; what they were told is held against
what smsd says afterwards, also when it was killed in the middle."""

import asyncio
import collections
import json

from smsd import ANSWER_SECONDS_MAX

Told = collections.namedtuple("Told", "packet user status body")
OPENING = {}  # instead of a grab's fields: open what was reserved
CONNECTING_AT_ONCE = 200  # below what a listening socket queues


class Rush:
    """`answers` holds everything that was acknowledged over all rounds."""

    def __init__(self, smsd):
        self.smsd = smsd
        self.answers = []
        self.key = smsd.admin_key

    async def ask(self, reader, writer, packet, user, fields):
        verb, body = ("open", {"user": user}) if fields is OPENING else ("grab", {"user": user, **fields})
        writer.write(self.smsd.request_bytes("POST", f"/v1/packets/{packet}/{verb}", body, key=self.key))
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        told = Told(packet, user, int(head.split(b" ", 2)[1]), json.loads(await reader.readexactly(length)))
        self.answers.append(told)
        return told

    async def one_user(self, plan, connecting, ready, start):
        """One connection: waits for the others, then asks for everything in its plan, one after another."""
        try:
            async with connecting:
                reader, writer = await asyncio.open_connection(self.smsd.host, self.smsd.port)
            ready.release()
            await start.wait()
            for packet, user, fields in plan:
                await self.ask(reader, writer, packet, user, fields)
            writer.close()
        except (OSError, asyncio.IncompleteReadError):
            ready.release()

    async def run(self, plans, kill_after):
        connecting, start = asyncio.Semaphore(CONNECTING_AT_ONCE), asyncio.Event()
        ready = asyncio.Semaphore(0)
        tasks = [asyncio.ensure_future(self.one_user(plan, connecting, ready, start)) for plan in plans]
        for _ in tasks:
            await asyncio.wait_for(ready.acquire(), ANSWER_SECONDS_MAX)
        start.set()
        if kill_after is not None:
            await asyncio.sleep(kill_after)
            self.smsd.process.kill()
        await asyncio.gather(*tasks)

    def go(self, plans, kill_after=None):
        """A connection for each plan, a list of (packet, user, fields of the grab, or OPENING). All start
        together. With `kill_after` smsd is killed so many seconds later. The answers of this round."""
        before = len(self.answers)
        self.key = self.smsd.admin_key
        asyncio.run(self.run(plans, kill_after))
        return self.answers[before:]

    # Afterwards.

    def check(self, packets):
        """Everything acknowledged is there, and nothing twice. `packets`: as they were sent."""
        credited = collections.Counter()
        for sent in packets:
            shown = self.smsd.get(f"/v1/packets/{sent['id']}").body
            self.check_packet(sent, shown)
            for row in shown["grabs"]:
                credited[row["user"]] += row["amount"] or 0
        self.check_balances(credited)
        audit = self.smsd.get("/v1/audit").body
        assert audit["ok"] is True and audit["sum"] == 0, audit
        return credited

    def check_packet(self, sent, shown):
        grabs = shown["grabs"]
        users = [row["user"] for row in grabs]
        assert len(set(users)) == len(users), "a user has two shares"
        assert [row["share"] for row in grabs] == sorted({row["share"] for row in grabs}), "a share has two users"
        assert len(grabs) <= sent["count"], "more shares than there are"
        got = sum(row["amount"] or 0 for row in grabs)
        assert got + shown["remaining_amount"] + shown["refunded_amount"] == sent["amount"], shown
        found = {row["user"]: row for row in grabs}
        for told in self.answers:
            if told.packet != sent["id"] or told.status != 200:
                continue
            row = found.get(told.user)
            if row is None and told.body["outcome"] == "reserved" and shown["closed_at"] is not None:
                continue  # never opened: it went back with the rest
            assert row is not None, f"{told} was acknowledged and is gone"
            assert row["share"] == told.body["share"], f"{told}: {row}"
            if told.body["amount"] is not None:
                assert row["amount"] == told.body["amount"], f"{told}: {row}"

    def check_balances(self, credited):
        users = list(credited)
        for start in range(0, len(users), 1000):
            answer = self.smsd.post("/v1/accounts/lookup", {"accounts": users[start:start + 1000]})
            for account in answer.body["data"]:
                assert account["balance"] == credited[account["id"]], account
