# BILL-6: a new account is empty, in fen, active.
open     A  -> active id=A currency=CNY balance=0 held=0 pending=0 available=0 credit_limit=0 low_balance=null packets_blocked=false
account  A  -> active id=A currency=CNY balance=0 available=0

# BILL-7: an account is opened once.
open     A
open     A                   -> account_exists
open     A currency=USD      -> account_exists
account  A                   -> currency=CNY

# BILL-7: currency, credit limit and threshold are given at opening.
open     A currency=USD credit_limit=500 low_balance=100  -> currency=USD credit_limit=500 low_balance=100 available=500

# BILL-7: a top-up opens the account it pays into; nothing else does.
account  A      -> account_not_found
charge   A 1    -> account_not_found
payout   A 1    -> account_not_found
entries  A      -> account_not_found
set      A credit_limit=5  -> account_not_found
topup    A 100  -> account=A type=topup amount=100 balance=100
account  A      -> active balance=100 available=100

# BILL-7: frozen, an account takes money and gives none.
topup    A 100
freeze   A      -> frozen
charge   A 10   -> account_frozen
payout   A 10   -> account_frozen
topup    A 50   -> balance=150
account  A      -> frozen balance=150
unfreeze A      -> active
charge   A 10   -> settled balance=140

# BILL-7: a credit limit lets an account go below zero, and no further.
open     A credit_limit=50
charge   A 50   -> settled balance=-50
charge   A 1    -> insufficient_funds
account  A      -> balance=-50 available=0 credit_limit=50
set      A credit_limit=80  -> credit_limit=80 balance=-50 available=30
charge   A 31   -> insufficient_funds
payout   A 30   -> amount=-30 balance=-80
charge   A 1    -> insufficient_funds
topup    A 80   -> balance=0
audit           -> ok

# BILL-7: what a change does not name stays as it was.
open     A credit_limit=50 low_balance=10
set      A credit_limit=60  -> active credit_limit=60 low_balance=10 packets_blocked=false
set      A low_balance=20   -> active credit_limit=60 low_balance=20
set      A packets_blocked=true  -> packets_blocked=true credit_limit=60
freeze   A                  -> frozen credit_limit=60 low_balance=20 packets_blocked=true
set      A low_balance=null -> frozen low_balance=null
account  A                  -> frozen credit_limit=60 low_balance=null packets_blocked=true

# BILL-7: accounts keep what they are through a restart and a kill.
open     A currency=USD credit_limit=50 low_balance=10
set      A packets_blocked=true
freeze   A
restart
account  A  -> frozen currency=USD credit_limit=50 low_balance=10 packets_blocked=true
kill
restart
account  A  -> frozen currency=USD credit_limit=50 low_balance=10 packets_blocked=true

# BILL-7: accounts are listed newest first.
open     A
open     B
open     C
accounts limit=3  -> id=C,B,A
