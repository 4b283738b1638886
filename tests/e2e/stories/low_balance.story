# BILL-14: one webhook when the balance goes below the threshold, not one per charge.
open      A low_balance=50
topup     A 100
charge    A 40   -> balance=60
webhooks         -> rows=0
charge    A 20   -> balance=40
webhooks         -> rows=1 type=account.low_balance
charge    A 10
charge    A 10
webhooks         -> rows=1
topup     A 100  -> balance=120
webhooks         -> rows=1
charge    A 100  -> balance=20
webhooks         -> rows=2
charge    A 5
webhooks         -> rows=2

# BILL-14: whatever takes the balance below it counts: a payout, a transfer, a captured hold, a drain.
restart   charges_drain_interval_ms=60000
open      A low_balance=50
topup     A 100
payout    A 60
webhooks         -> rows=1
topup     A 60
transfer  A B 60
webhooks         -> rows=2
topup     A 60
hold      A 60   -> id=$h
webhooks         -> rows=2
capture   $h
webhooks         -> rows=3
topup     A 60
queue     A 30
queue     A 30
advance   1m
account   A      -> balance=40
webhooks         -> rows=4

# BILL-14: an account without a threshold, or with one that was taken away, says nothing.
topup     A 100
charge    A 99
open      B low_balance=50
topup     B 100
set       B low_balance=null
charge    B 99
webhooks         -> rows=0

# BILL-14: the crossing is told once through kills.
open      A low_balance=50
topup     A 100
charge    A 60
kill
restart
webhooks         -> rows=1
charge    A 10
webhooks         -> rows=1
topup     A 100
kill
restart
charge    A 90
webhooks         -> rows=2

# BILL-14: a refused charge crosses nothing.
open      A low_balance=50
topup     A 100
charge    A 101  -> insufficient_funds
freeze    A
charge    A 60   -> account_frozen
webhooks         -> rows=0

# BILL-14: each account has its own.
open      A low_balance=50
open      B low_balance=90
topup     A 100
topup     B 100
charge    A 20
charge    B 20
webhooks         -> rows=1
charge    A 40
webhooks         -> rows=2
