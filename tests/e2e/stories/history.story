# BILL-11: entries are newest first, signed, each with the balance after it.
topup    A 100
charge   A 30
payout   A 20
topup    A 5
entries  A  -> type=topup,payout,charge,topup amount=5,-20,-30,100 balance=55,50,70,100 account=A,A,A,A next=null

# BILL-11: pages follow one another by cursor, and new entries do not shift them.
topup    A 100
charge   A 1
charge   A 2
charge   A 3
charge   A 4
entries  A limit=2               -> amount=-4,-3 next=$page2
charge   A 5
entries  A limit=2 after=$page2  -> amount=-2,-1 next=$page3
entries  A limit=2 after=$page3  -> amount=100 next=null
entries  A limit=1               -> amount=-5

# BILL-11: entries of one type only.
topup    A 100
charge   A 30
topup    A 10
payout   A 20
entries  A type=topup            -> amount=10,100
entries  A type=charge           -> amount=-30
entries  A type=payout           -> amount=-20
entries  A type=refund           -> rows=0 next=null

# BILL-11: pages of a filtered list are full.
topup    A 100
charge   A 1
topup    A 200
charge   A 2
topup    A 300
entries  A type=topup limit=2               -> amount=300,200 next=$page2
entries  A type=topup limit=2 after=$page2  -> amount=100 next=null

# BILL-11: the history of an account survives a kill.
topup    A 100
charge   A 30
kill
restart
charge   A 20
entries  A  -> amount=-20,-30,100 balance=50,70,100

# BILL-11: an account without entries has an empty history.
open     A
entries  A  -> rows=0 next=null

# BILL-11: the balance at a past moment.
topup       A 100  -> created_at=$t1
advance     1h
charge      A 30   -> created_at=$t2
advance     1h
topup       A 5    -> created_at=$t3
balance-at  A at=$t1                        -> account=A balance=100 at=$t1
balance-at  A at=$t2                        -> balance=70
balance-at  A at=$t3                        -> balance=75
balance-at  A                               -> balance=75
balance-at  A at=2000-01-01T00:00:00.000Z   -> balance=0
balance-at  A at=2999-01-01T00:00:00.000Z   -> balance=75
balance-at  B at=$t1                        -> account_not_found
kill
restart
balance-at  A at=$t2                        -> balance=70

# BILL-11: what is queued and held is part of a past balance.
restart     charges_drain_interval_ms=60000
topup       A 100
hold        A 10
queue       A 30   -> created_at=$t1
balance-at  A at=$t1  -> balance=100
advance     1m
balance-at  A at=$t1  -> balance=100
balance-at  A         -> balance=70
