# BILL-9: a repeated key charges once.
topup    A 100
charge   A 30 key=K1  -> settled balance=70
charge   A 30 key=K1  -> settled balance=70 (replayed)
charge   A 31 key=K1  -> idempotency_key_reused
charge   A 90         -> insufficient_funds
account  A            -> balance=70
entries  A            -> amount=-30,100

# BILL-9: the answer that is replayed is the first one, whatever happened since.
topup    A 100
charge   A 30 key=K1  -> settled balance=70 id=$c
charge   A 20         -> settled balance=50
charge   A 30 key=K1  -> settled balance=70 id=$c (replayed)
account  A            -> balance=50

# BILL-9: a refusal is kept and replayed, also when it would be granted now.
charge   A 30 key=K1  -> account_not_found
topup    A 10
charge   A 30 key=K1  -> account_not_found (replayed)
charge   A 30 key=K2  -> insufficient_funds
topup    A 100
charge   A 30 key=K2  -> insufficient_funds (replayed)
freeze   A
charge   A 30 key=K3  -> account_frozen
unfreeze A
charge   A 30 key=K3  -> account_frozen (replayed)
charge   A 30 key=K4  -> settled balance=80

# BILL-9: an invalid request is not kept: its key is free.
topup    A 100
charge   A 0  key=K1  -> invalid
charge   A 30 key=K1  -> settled balance=70
charge   A 30 key=K1  -> settled balance=70 (replayed)

# BILL-9: reusing a key for something else does not spoil it.
topup    A 100
charge   A 30 key=K1  -> settled balance=70
charge   A 40 key=K1  -> idempotency_key_reused
charge   B 30 key=K1  -> idempotency_key_reused
charge   A 30 key=K1  -> settled balance=70 (replayed)

# BILL-9: keys survive a kill.
topup    A 100 key=T1 -> balance=100
charge   A 30 key=K1  -> settled balance=70 id=$c
charge   A 99 key=K2  -> insufficient_funds
kill
restart
topup    A 100 key=T1 -> balance=100 (replayed)
charge   A 30 key=K1  -> settled balance=70 id=$c (replayed)
charge   A 31 key=K1  -> idempotency_key_reused
charge   A 99 key=K2  -> insufficient_funds (replayed)
account  A            -> balance=70

# BILL-9: keys survive an orderly restart.
topup    A 100 key=T1 -> balance=100
charge   A 30 key=K1  -> settled balance=70
payout   A 5  key=P1  -> balance=65
restart
payout   A 5  key=P1  -> balance=65 (replayed)
charge   A 30 key=K1  -> settled balance=70 (replayed)
topup    A 100 key=T1 -> balance=100 (replayed)
account  A            -> balance=65

# BILL-9: a key is kept for 24 hours.
topup    A 100
charge   A 30 key=K1  -> settled balance=70
charge   A 99 key=K2  -> insufficient_funds
advance  23h
charge   A 30 key=K1  -> settled balance=70 (replayed)
charge   A 99 key=K2  -> insufficient_funds (replayed)
advance  61m
charge   A 30 key=K1  -> settled balance=40
charge   A 99 key=K2  -> insufficient_funds
charge   A 30 key=K1  -> settled balance=40 (replayed)

# BILL-9, OPS-2: keys belong to the API key that used them.
topup    A 100
grant    shop billing
grant    till billing
charge   A 30 key=K1 by=shop  -> settled balance=70
charge   A 30 key=K1 by=till  -> settled balance=40
charge   A 30 key=K1          -> settled balance=10
charge   A 30 key=K1 by=shop  -> settled balance=70 (replayed)

# BILL-9: opening an account under a key opens it once.
open     A key=K1  -> active id=A
open     A key=K1  -> active id=A (replayed)
open     A         -> account_exists
open     A key=K2  -> account_exists
open     A key=K2  -> account_exists (replayed)

# BILL-9: the same key elsewhere is another request.
topup    A 100 key=K1
topup    B 100 key=K1  -> idempotency_key_reused
payout   A 100 key=K1  -> idempotency_key_reused
account  B             -> account_not_found
account  A             -> balance=100
