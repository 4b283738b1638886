# BILL-7: a charge is refunded in full.
topup        A 100
charge       A 30    -> id=$c
refund       $c      -> account=A type=refund amount=30 balance=100 count=1 source=$c
show-charge  $c      -> settled amount=30 refunded=30
entries      A       -> type=refund,charge,topup amount=30,-30,100 balance=100,70,100
audit                -> ok revenue=0 world=-100
refund       $c      -> already_refunded
refund       $c amount=1  -> already_refunded
account      A       -> balance=100

# BILL-7: a charge is refunded in parts, never more than it was.
topup        A 100
charge       A 30          -> id=$c
refund       $c amount=10  -> amount=10 balance=80
show-charge  $c            -> refunded=10
refund       $c amount=21  -> amount_out_of_range
refund       $c amount=5   -> amount=5 balance=85
refund       $c            -> amount=15 balance=100
show-charge  $c            -> refunded=30
refund       $c            -> already_refunded
audit                      -> ok revenue=0

# BILL-7: one charge's refund is not another's.
topup        A 100
charge       A 30    -> id=$c1
charge       A 30    -> id=$c2
refund       $c1     -> amount=30
show-charge  $c2     -> refunded=0
refund       $c2 amount=1  -> amount=1

# BILL-7, BILL-4: a queued charge is refunded once it is settled, by its own amount.
restart      charges_drain_interval_ms=60000
topup        A 100
queue        A 30    -> id=$c1
queue        A 40    -> id=$c2
refund       $c1     -> conflict
account      A       -> balance=100 pending=70
advance      1m
refund       $c1 amount=31  -> amount_out_of_range
refund       $c1     -> type=refund amount=30 balance=60 source=$c1
show-charge  $c1     -> settled refunded=30
show-charge  $c2     -> settled refunded=0
refund       $c1     -> already_refunded
refund       $c2     -> amount=40 balance=100
audit                -> ok revenue=0

# BILL-7: a frozen account gets its refund.
topup        A 100
charge       A 30    -> id=$c
freeze       A
refund       $c      -> amount=30 balance=100

# BILL-7: what is no charge is not refunded.
topup        A 100   -> id=$e
refund       $e      -> not_found
refund       chg_0000000000001  -> not_found
account      A       -> balance=100

# BILL-7, BILL-9: a repeated key refunds once.
topup        A 100
charge       A 30    -> id=$c
refund       $c amount=10 key=K1  -> amount=10 balance=80 id=$e
refund       $c amount=10 key=K1  -> amount=10 balance=80 id=$e (replayed)
refund       $c amount=20 key=K1  -> idempotency_key_reused
show-charge  $c      -> refunded=10
kill
restart
refund       $c amount=10 key=K1  -> amount=10 balance=80 id=$e (replayed)
show-charge  $c      -> refunded=10
refund       $c      -> amount=20 balance=100
