"""`smsd verify` and the audit against somebody who changes the books behind smsd's back, with the right checksum
of each row (BILL-12, BILL-13)."""

import copy

import pytest

import rows as offline
from contract import pages, topup
from rows import Account, Chain, Entry, Hold, Rows, id_of, key_of, number_of
from smsd import Smsd, run

CHAIN_HEAD = b"entry_chain"
# Less than what make_history advances the clock by, and more than a test takes.
OPTIONS = ["--charges-drain-interval-ms", "59000"]


class Books:
    """The rows of a smsd that made some history and was stopped. Whatever a test changes is put back."""

    def __init__(self, smsd, rows, head):
        self.smsd = smsd
        self.rows = rows
        self.noted_head = head  # as the audit showed it before the stop
        self.entries = rows.all("ENTRY")
        self.numbers = [number_of(key) for key in self.entries]
        self.changed = []

    def entry(self, place):
        return Entry(self.entries[key_of(self.numbers[place])])

    def put(self, table, key, value):
        self.changed.append((table, key, self.rows.all(table).get(key)))
        self.rows.put(table, key, value)

    def put_entry(self, place, entry):
        self.put("ENTRY", key_of(self.numbers[place]), entry.pack())

    def delete(self, table, key):
        self.changed.append((table, key, self.rows.all(table)[key]))
        self.rows.delete(table, key)

    def put_back(self):
        for table, key, value in reversed(self.changed):
            if value is None:
                self.rows.delete(table, key)
            else:
                self.rows.put(table, key, value)
        self.changed = []

    def account(self, name):
        return Account(self.rows.all("ACCOUNT")[name.encode()])

    def verify(self):
        """Exit status, and all it said."""
        done = run(["verify", "--data-dir", str(self.smsd.data_dir)])
        return done.returncode, done.stdout + done.stderr

    def rechain(self, with_head):
        """Computes the `chain` of every entry anew, as somebody would who knows how."""
        chain = Chain()
        for key, value in self.rows.all("ENTRY").items():
            entry = Entry(value)
            entry.chain = chain.step(number_of(key), value)
            if entry.pack() != value:
                self.put("ENTRY", key, entry.pack())
        if with_head:
            self.put("META", CHAIN_HEAD, chain.head)


def make_history(smsd):
    smsd.post("/v1/accounts", {"id": "A", "credit_limit": 100})
    for number in range(8):
        topup(smsd, "A", 100 + number, idempotency=f"t{number}")
        made = smsd.post("/v1/charges", {"account": "A", "amount": 20, "reference": f"order {number} " * 6}).body
        smsd.post("/v1/transfers", {"from": "A", "to": f"B{number % 3}", "amount": 10 + number})
        smsd.post(f"/v1/charges/{made['id']}/refunds", {"amount": 5})
        smsd.post("/v1/charges", {"account": "A", "amount": 3, "mode": "queued"})
        smsd.advance(60)
    smsd.post("/v1/holds", {"account": "A", "amount": 30, "expires_in": 86400})
    smsd.post("/v1/charges", {"account": "A", "amount": 3, "mode": "queued"})


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    smsd = Smsd(tmp_path_factory.mktemp("books"), options=OPTIONS).start()
    make_history(smsd)
    head = smsd.get("/v1/audit").body["chain_head"]
    smsd.stop()
    yield Books(smsd, Rows(offline.build(tmp_path_factory.mktemp("program")), smsd.data_dir), head)
    smsd.close()


@pytest.fixture
def books(library):
    yield library
    library.put_back()
    status, said = library.verify()
    assert status == 0, f"not as it was before: {said}"


def test_what_was_not_changed_is_right(books):
    status, said = books.verify()
    assert status == 0 and f"{len(books.entries)} entries" in said
    assert len(books.entries) == 8 * 6


def test_the_chain_is_what_its_description_says(books):
    """BILL-13: whoever has the entries can compute the head that the audit shows."""
    chain = Chain()
    for number, value in zip(books.numbers, books.entries.values()):
        assert Entry(value).chain == chain.step(number, value)
    assert books.rows.all("META")[CHAIN_HEAD] == chain.head
    assert books.noted_head == chain.head.hex()


CHANGES = {
    "its amount": lambda entry: setattr(entry, "amount", entry.amount + 1),
    "its balance": lambda entry: setattr(entry, "balance", entry.balance - 1),
    "its type": lambda entry: setattr(entry, "type", entry.type % 5 + 1),
    "its count": lambda entry: setattr(entry, "count", entry.count + 1),
    "its account": lambda entry: setattr(entry, "account", entry.account + 1),
    "its other side": lambda entry: setattr(entry, "counter", entry.counter + 1),
    "its source": lambda entry: setattr(entry, "source", entry.source ^ 1),
    "its predecessor": lambda entry: setattr(entry, "previous", entry.previous ^ 1),
    "its link of the chain": lambda entry: setattr(entry, "chain", entry.chain ^ 1),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("place", [0, 20, -1], ids=["first", "middle", "last"])
def test_a_changed_entry_is_found_and_named(books, place, change):
    """BILL-13: smsd verify finds a changed entry."""
    entry = books.entry(place)
    CHANGES[change](entry)
    books.put_entry(place, entry)
    status, said = books.verify()
    assert status == 1
    assert id_of("ent_", books.numbers[place]) in said


def test_a_changed_reference_is_found_and_named(books):
    place = next(i for i, value in enumerate(books.entries.values()) if Entry(value).reference_size > 20)
    entry = books.entry(place)
    entry.rest = entry.rest.replace(b"order", b"older")
    books.put_entry(place, entry)
    status, said = books.verify()
    assert status == 1 and id_of("ent_", books.numbers[place]) in said


@pytest.mark.parametrize("place", [0, 20, 46], ids=["first", "middle", "last_but_one"])
def test_a_missing_entry_is_found_where_it_is_missed(books, place):
    """BILL-13: a missing one; the one behind it is where the chain does not go on."""
    books.delete("ENTRY", key_of(books.numbers[place]))
    status, said = books.verify()
    assert status == 1
    assert id_of("ent_", books.numbers[place + 1]) in said


def test_a_missing_last_entry_is_found(books):
    books.delete("ENTRY", key_of(books.numbers[-1]))
    assert books.verify()[0] == 1


@pytest.mark.parametrize("place", [0, 20], ids=["second", "middle"])
def test_an_inserted_entry_is_found_and_named(books, place):
    """BILL-13: an inserted one."""
    while books.numbers[place] + 1 in books.numbers:
        place += 1
    number = books.numbers[place] + 1
    forged = copy.copy(books.entry(place))
    forged.previous = books.numbers[place]
    forged.amount = 0
    books.put("ENTRY", key_of(number), forged.pack())
    status, said = books.verify()
    assert status == 1 and id_of("ent_", number) in said


def test_an_entry_put_behind_the_last_is_found_and_named(books):
    number = books.numbers[-1] + 1
    books.put("ENTRY", key_of(number), books.entry(-1).pack())
    status, said = books.verify()
    assert status == 1 and id_of("ent_", number) in said


def test_two_entries_that_changed_places_are_found(books):
    books.put_entry(20, books.entry(21))
    books.put_entry(21, Entry(books.entries[key_of(books.numbers[20])]))
    status, said = books.verify()
    assert status == 1 and id_of("ent_", books.numbers[20]) in said


def test_of_several_wrong_entries_the_first_is_named(books):
    """BILL-13: the first wrong one."""
    for place in (40, 13, 30):
        entry = books.entry(place)
        entry.amount += 1
        books.put_entry(place, entry)
    status, said = books.verify()
    assert status == 1 and id_of("ent_", books.numbers[13]) in said
    assert id_of("ent_", books.numbers[30]) not in said and id_of("ent_", books.numbers[40]) not in said


def test_mending_the_changed_entrys_own_link_moves_the_break_to_the_next(books):
    entry = books.entry(20)
    entry.reference_size, entry.rest = 4, b"mine"
    chain = Chain()
    for number, value in list(zip(books.numbers, books.entries.values()))[:20]:
        chain.step(number, value)
    entry.chain = chain.step(books.numbers[20], entry.pack())
    books.put_entry(20, entry)
    status, said = books.verify()
    assert status == 1 and id_of("ent_", books.numbers[21]) in said


def test_mending_the_whole_chain_is_not_enough(books):
    """BILL-13: the head, kept apart, does not fit it any more."""
    entry = books.entry(20)
    entry.reference_size, entry.rest = 4, b"mine"
    books.put_entry(20, entry)
    books.rechain(with_head=False)
    assert books.verify()[0] == 1


def test_whoever_noted_the_head_finds_even_a_chain_that_was_mended_whole(books):
    """BILL-13: rewritten books agree with themselves, and not with the head that was noted before."""
    entry = books.entry(20)
    entry.reference_size, entry.rest = 4, b"mine"
    books.put_entry(20, entry)
    books.rechain(with_head=True)
    assert books.verify()[0] == 0
    assert books.rows.all("META")[CHAIN_HEAD].hex() != books.noted_head


def test_a_balance_that_was_changed_is_found(books):
    """BILL-12: the balances of all accounts sum to zero."""
    account = books.account("A")
    account.balance += 1
    books.put("ACCOUNT", b"A", account.pack())
    status, said = books.verify()
    assert status == 1 and "CNY" in said


def test_balances_that_were_changed_against_each_other_are_found(books):
    """BILL-12, BILL-13: sums are right, histories are not."""
    for name, more in (("A", 5), ("B0", -5)):
        account = books.account(name)
        account.balance += more
        books.put("ACCOUNT", name.encode(), account.pack())
    assert books.verify()[0] == 1


def test_an_account_that_is_gone_is_found(books):
    books.delete("ACCOUNT", b"B1")
    assert books.verify()[0] == 1


def test_an_account_that_forgets_its_last_entry_is_found(books):
    account = books.account("B2")
    last = Entry(books.entries[key_of(account.entry_last)])
    account.entry_last = last.previous
    account.entry_count -= 1
    books.put("ACCOUNT", b"B2", account.pack())
    assert books.verify()[0] == 1


@pytest.mark.parametrize("member", ["held", "pending"])
def test_what_is_set_apart_without_a_reason_is_found(books, member):
    """BILL-12: held and queued amounts are part of a balance."""
    account = books.account("A")
    setattr(account, member, getattr(account, member) + 1)
    books.put("ACCOUNT", b"A", account.pack())
    assert books.verify()[0] == 1


def test_a_hold_that_was_changed_is_found(books):
    (key, value), = books.rows.all("HOLD").items()
    hold = Hold(value)
    hold.amount += 1
    books.put("HOLD", key, hold.pack())
    assert books.verify()[0] == 1


@pytest.mark.parametrize("table", ["HOLD", "DRAIN"])
def test_what_holds_money_apart_and_is_gone_is_found(books, table):
    books.delete(table, max(books.rows.all(table)))
    assert books.verify()[0] == 1


def test_the_online_audit_finds_a_changed_balance(library, tmp_path):
    """BILL-12: GET /v1/audit computes it online."""
    smsd = Smsd(tmp_path, options=OPTIONS).start()
    make_history(smsd)
    noted = smsd.get("/v1/audit").body
    assert noted["ok"] is True
    smsd.stop()
    rows = Rows(library.rows.command[0], smsd.data_dir)
    account = Account(rows.all("ACCOUNT")[b"A"])
    right = account.pack()
    account.balance += 7
    rows.put("ACCOUNT", b"A", account.pack())
    smsd.start()
    audit = smsd.get("/v1/audit").body
    assert audit["ok"] is False and audit["sum"] == 7
    smsd.stop()
    rows.put("ACCOUNT", b"A", right)
    smsd.start()
    audit = smsd.get("/v1/audit").body
    assert audit["ok"] is True and audit["chain_head"] == noted["chain_head"]
    assert pages(smsd, "/v1/accounts/A/entries", 500)[0]["balance"] == smsd.get("/v1/accounts/A").body["balance"]
    smsd.close()
