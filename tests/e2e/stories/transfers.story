# BILL-7: a transfer moves money from one account to another.
topup     A 100
topup     B 5
transfer  A B 30 reference="for lunch"  -> from=A to=B amount=30 from_balance=70 to_balance=35 id=$t
entries   A limit=1  -> type=transfer amount=-30 balance=70 source=$t count=1
entries   B limit=1  -> type=transfer amount=30 balance=35 source=$t count=1
entries   A type=transfer  -> rows=1
audit                -> ok sum=0 world=-105 revenue=0

# BILL-7: a transfer opens the account it pays into, in the payer's currency; never the one it takes from.
open      A currency=USD
topup     A 100
transfer  B A 1      -> account_not_found
transfer  A B 40     -> from_balance=60 to_balance=40
account   B          -> active currency=USD balance=40
account   C          -> account_not_found
transfer  A C 61     -> insufficient_funds
account   C          -> account_not_found

# BILL-7: currencies are not mixed.
topup     A 100
open      B currency=USD
transfer  A B 10     -> currency_mismatch
account   A          -> balance=100
account   B          -> balance=0
audit                -> ok

# BILL-7: a frozen account pays no transfer, and takes one.
topup     A 100
topup     B 100
freeze    A
transfer  A B 10     -> account_frozen
transfer  B A 10     -> from_balance=90 to_balance=110

# BILL-7: to itself an account transfers nothing.
topup     A 100
transfer  A A 10     -> invalid
account   A          -> balance=100

# BILL-7: a transfer takes no more than is there.
open      A credit_limit=20
topup     A 100
transfer  A B 121    -> insufficient_funds
transfer  A B 120    -> from_balance=-20 to_balance=120
transfer  A B 1      -> insufficient_funds

# BILL-7, BILL-9: a repeated key transfers once, also after a kill.
topup     A 100
transfer  A B 30 key=K1  -> from_balance=70 to_balance=30 id=$t
kill
restart
transfer  A B 30 key=K1  -> from_balance=70 to_balance=30 id=$t (replayed)
transfer  B A 30 key=K1  -> idempotency_key_reused
account   A          -> balance=70
account   B          -> balance=30
