# BILL-2: a queued charge is answered at once, and its amount is reserved.
restart      charges_drain_interval_ms=3600000
topup        A 100
queue        A 30 reference="order 1"  -> queued account=A amount=30 entry=null reference="order 1" id=$c
account      A       -> balance=100 pending=30 held=0 available=70
show-charge  $c      -> queued amount=30 entry=null refunded=0 reference="order 1"
entries      A       -> type=topup
audit                -> ok pending=30 revenue=0 world=-100

# BILL-2: what is queued cannot be spent a second time, in whatever way.
restart      charges_drain_interval_ms=3600000
topup        A 100
queue        A 60    -> queued
queue        A 41    -> insufficient_funds
charge       A 41    -> insufficient_funds
payout       A 41    -> insufficient_funds
transfer     A B 41  -> insufficient_funds
hold         A 41    -> insufficient_funds
queue        A 40    -> queued
queue        A 1     -> insufficient_funds
account      A       -> balance=100 pending=100 available=0
advance      1h
account      A       -> balance=0 pending=0 available=0

# BILL-2: a queue reaches as far as the credit limit, and no further.
restart      charges_drain_interval_ms=3600000
open         A credit_limit=50
queue        A 50    -> queued
queue        A 1     -> insufficient_funds
advance      1h
account      A       -> balance=-50 pending=0 available=0
queue        A 1     -> insufficient_funds

# BILL-2: a debit never makes an account.
queue        A 1     -> account_not_found
account      A       -> account_not_found

# BILL-4: a drain is one entry for the sum, and each charge finds it.
restart      charges_drain_interval_ms=3600000
topup        A 100
queue        A 10 reference=one    -> queued id=$c1
queue        A 20 reference=two    -> queued id=$c2
queue        A 30 reference=three  -> queued id=$c3
advance      1h
account      A       -> balance=40 pending=0 available=40
entries      A       -> type=charge,topup amount=-60,100 balance=40,100 count=3,1
show-charge  $c1     -> settled amount=10 reference=one entry=$e
show-charge  $c2     -> settled amount=20 reference=two entry=$e
show-charge  $c3     -> settled amount=30 reference=three entry=$e
entries      A limit=1  -> id=$e
audit                -> ok revenue=60 pending=0

# BILL-4, BILL-5: a drain takes at most charges_drain_max, in the order of the queue.
restart      charges_drain_interval_ms=3600000 charges_drain_max=2
topup        A 100
queue        A 1     -> id=$c1
queue        A 2     -> id=$c2
queue        A 4     -> id=$c3
queue        A 8     -> id=$c4
queue        A 16    -> id=$c5
advance      1h
advance      1h
advance      1h
entries      A type=charge  -> amount=-16,-12,-3 count=1,2,2
show-charge  $c1     -> settled entry=$first
show-charge  $c2     -> settled entry=$first
show-charge  $c3     -> settled entry=$second
show-charge  $c4     -> settled entry=$second
show-charge  $c5     -> settled entry=$third
entries      A type=charge  -> id=$third,$second,$first
account      A       -> balance=69 pending=0

# BILL-5: charges that come within one interval are drained together; the next interval begins with the next charge.
restart      charges_drain_interval_ms=600000
topup        A 100
queue        A 1
advance      5m
queue        A 2
account      A       -> balance=100 pending=3
advance      5m
account      A       -> balance=97 pending=0
queue        A 4     -> queued
account      A       -> balance=97 pending=4
advance      9m
account      A       -> balance=97 pending=4
advance      1m
account      A       -> balance=93 pending=0
entries      A type=charge  -> amount=-4,-3 count=1,2

# BILL-2: accounts do not wait for one another.
restart      charges_drain_interval_ms=600000
topup        A 100
topup        B 100
queue        A 1
advance      9m
queue        B 2
advance      1m
account      A       -> balance=99 pending=0
account      B       -> balance=100 pending=2
advance      9m
account      B       -> balance=98 pending=0

# BILL-2: the queue is durable.
restart      charges_drain_interval_ms=3600000
topup        A 100
queue        A 30    -> id=$c
queue        A 20
kill
restart
account      A       -> balance=100 pending=50 available=50
show-charge  $c      -> queued
restart
advance      1h
account      A       -> balance=50 pending=0
show-charge  $c      -> settled
entries      A type=charge  -> amount=-50 count=2
kill
restart
show-charge  $c      -> settled amount=30
account      A       -> balance=50 pending=0

# BILL-2: a frozen account's queue waits, and goes on when it is active again.
restart      charges_drain_interval_ms=60000
topup        A 100
queue        A 30    -> id=$c
queue        A 20
freeze       A
queue        A 1     -> account_frozen
advance      24h
account      A       -> frozen balance=100 pending=50 available=50
show-charge  $c      -> queued entry=null
kill
restart
advance      1h
account      A       -> frozen balance=100 pending=50
unfreeze     A       -> active
advance      1s
account      A       -> balance=50 pending=0
show-charge  $c      -> settled
entries      A type=charge  -> amount=-50 count=2
audit                -> ok revenue=50 pending=0

# BILL-2: an account frozen and active again before its queue was due loses nothing.
restart      charges_drain_interval_ms=60000
topup        A 100
queue        A 30
freeze       A
unfreeze     A
advance      1m
account      A       -> balance=70 pending=0
queue        A 20    -> queued
advance      1m
account      A       -> balance=50 pending=0

# BILL-2: a frozen account's queue goes at once when it is no longer frozen, and before what is queued later.
restart      charges_drain_interval_ms=60000 charges_drain_max=2
topup        A 100
queue        A 1     -> id=$c1
queue        A 2     -> id=$c2
queue        A 4     -> id=$c3
freeze       A
advance      10m
unfreeze     A
queue        A 8     -> id=$c4
advance      1m
entries      A type=charge  -> amount=-8,-4,-3 count=1,1,2
account      A       -> balance=85 pending=0

# BILL-2, BILL-9: a repeated key queues once, and is answered the same after the charge was settled.
restart      charges_drain_interval_ms=60000
topup        A 100
queue        A 30 key=K1  -> queued id=$c
queue        A 30 key=K1  -> queued id=$c (replayed)
charge       A 30 key=K1  -> idempotency_key_reused
account      A       -> pending=30
advance      1m
queue        A 30 key=K1  -> queued id=$c (replayed)
account      A       -> balance=70 pending=0

# BILL-2, BILL-12: queued and settled money is in the books once.
restart      charges_drain_interval_ms=60000
topup        A 100
queue        A 30
charge       A 10
audit                -> ok sum=0 world=-100 revenue=10 pending=30
verify
audit                -> ok sum=0 world=-100 revenue=10 pending=30
advance      1m
audit                -> ok sum=0 world=-100 revenue=40 pending=0
