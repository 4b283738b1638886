# BILL-1: a charge is answered with the resulting balance.
topup    A 100
charge   A 30   -> settled account=A amount=30 balance=70
charge   A 70   -> settled amount=70 balance=0
account  A      -> balance=0 available=0

# BILL-1: the last fen can be charged, not one more.
topup    A 100
charge   A 101  -> insufficient_funds
charge   A 100  -> settled balance=0
charge   A 1    -> insufficient_funds
account  A      -> balance=0

# BILL-1: a charge can be looked up by the id it was given.
topup        A 100
charge       A 30 reference="order 17"  -> id=$c entry=$e reference="order 17"
show-charge  $c   -> settled id=$c entry=$e account=A amount=30 reference="order 17" balance=70
restart
show-charge  $c   -> settled id=$c entry=$e account=A amount=30 reference="order 17" balance=70

# BILL-1: an answered charge survives a kill.
topup    A 100
charge   A 30   -> settled balance=70 id=$c
kill
restart
account  A      -> balance=70
show-charge $c  -> settled amount=30
charge   A 70   -> settled balance=0

# BILL-1: one account's charges do not touch another's balance.
topup    A 100
topup    B 100
charge   A 30   -> balance=70
charge   B 1    -> balance=99
account  A      -> balance=70

# BILL-12: after all kinds of movements the books are balanced, and verify agrees.
topup    A 1000
topup    B 500
charge   A 300
payout   A 100
charge   B 600   -> insufficient_funds
charge   B 500
topup    B 1
audit            -> ok sum=0 revenue=800 world=-1401 held=0 pending=0
verify
audit            -> ok sum=0 revenue=800 world=-1401

# BILL-12: a refused movement leaves no trace.
topup    A 10
charge   A 11    -> insufficient_funds
payout   A 11    -> insufficient_funds
entries  A       -> type=topup amount=10
audit            -> ok revenue=0 world=-10
