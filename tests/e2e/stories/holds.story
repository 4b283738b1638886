# BILL-8: a hold sets money apart until it is captured.
topup      A 100
hold       A 30      -> open account=A amount=30 id=$h
account    A         -> balance=100 held=30 pending=0 available=70
charge     A 71      -> insufficient_funds
hold       A 71      -> insufficient_funds
capture    $h        -> captured account=A amount=30
account    A         -> balance=70 held=0 available=70
entries    A         -> amount=-30,100 balance=70,100 source=$h,null
show-hold  $h        -> captured
audit                -> ok revenue=30 held=0

# BILL-8: a part is captured, the rest is free.
topup      A 100
hold       A 30      -> id=$h
capture    $h amount=31  -> amount_out_of_range
account    A         -> held=30
capture    $h amount=10  -> captured
account    A         -> balance=90 held=0 available=90
capture    $h amount=1   -> hold_closed

# BILL-8: a release takes nothing.
topup      A 100
hold       A 100     -> id=$h
charge     A 1       -> insufficient_funds
release    $h        -> released
account    A         -> balance=100 held=0 available=100
entries    A         -> type=topup
release    $h        -> hold_closed
capture    $h        -> hold_closed
charge     A 100     -> settled

# BILL-8: a hold is released at its expiry.
topup      A 100
hold       A 30 expires_in=60   -> open id=$h1
hold       A 40 expires_in=120  -> open id=$h2
advance    59s
account    A         -> held=70 available=30
advance    2s
account    A         -> balance=100 held=40 available=60
show-hold  $h1       -> expired
show-hold  $h2       -> open
capture    $h1       -> hold_closed
release    $h1       -> hold_closed
capture    $h2       -> captured
advance    2m
account    A         -> balance=60 held=0 available=60
show-hold  $h2       -> captured
audit                -> ok revenue=40 held=0

# BILL-8: holds and their expiry survive a kill.
topup      A 100
hold       A 30 expires_in=60    -> id=$h1
hold       A 20 expires_in=3600  -> id=$h2
kill
restart
account    A         -> held=50 available=50
show-hold  $h1       -> open
advance    1m
account    A         -> held=20 available=80
show-hold  $h1       -> expired
capture    $h2       -> captured
kill
restart
account    A         -> balance=80 held=0

# BILL-8: several holds of one account are held together.
topup      A 100
hold       A 30      -> id=$h1
hold       A 30      -> id=$h2
hold       A 41      -> insufficient_funds
hold       A 40
account    A         -> held=100 available=0
audit                -> ok held=100
release    $h1
capture    $h2
account    A         -> balance=70 held=40 available=30

# BILL-8: a frozen account holds nothing more; what is held is not captured, and may be let go.
topup      A 100
hold       A 30      -> id=$h1
hold       A 20      -> id=$h2
freeze     A
hold       A 1       -> account_frozen
capture    $h1       -> account_frozen
release    $h2       -> released
unfreeze   A
capture    $h1       -> captured
account    A         -> balance=70 held=0

# BILL-8: what was never held is not found.
capture    hld_0000000000001  -> not_found
release    hld_0000000000001  -> not_found
show-hold  hld_0000000000001  -> not_found
hold       A 1                -> account_not_found

# BILL-8, BILL-9: repeated keys hold, capture and release once.
topup      A 100
hold       A 30 key=H1  -> open id=$h
hold       A 30 key=H1  -> open id=$h (replayed)
account    A            -> held=30
capture    $h amount=10 key=C1  -> captured
capture    $h amount=10 key=C1  -> captured (replayed)
capture    $h amount=10 key=C2  -> hold_closed
capture    $h amount=10 key=C2  -> hold_closed (replayed)
hold       A 30 key=H1  -> open id=$h (replayed)
account    A            -> balance=90 held=0
hold       A 5          -> id=$h2
release    $h2 key=R1   -> released
release    $h2 key=R1   -> released (replayed)
account    A            -> balance=90 held=0 available=90
