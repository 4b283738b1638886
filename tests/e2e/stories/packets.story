# PKT-1: the sender pays in the commit that makes the packet, and @packets holds it.
topup    A 1000
send     A 100 4   -> open sender=A kind=lucky split=double_mean amount=100 count=4 remaining_amount=100 remaining_count=4 refunded_amount=0 seed=null emptied_at=null closed_at=null id=$p
account  A         -> balance=900
entries  A         -> type=packet_send,topup amount=-100,1000 balance=900,1000
audit              -> ok packets=100 world=-1000
kill
restart
packet   $p        -> open remaining_amount=100 remaining_count=4
account  A         -> balance=900

# PKT-1: who cannot pay sends nothing.
topup    A 99
send     A 100 4     -> insufficient_funds
send     nobody 10 1 -> account_not_found
packets              -> rows=0
account  A           -> balance=99
audit                -> ok packets=0

# PKT-1: a frozen account sends nothing, and still receives.
topup    A 100
topup    B 100
freeze   B
send     B 10 1   -> account_frozen
send     A 10 1   -> id=$p
grab     B $p     -> outcome=grabbed amount=10 balance=110

# PKT-2: an equal packet gives everybody the same, and must divide.
topup    A 1000
send     A 100 3 kind=equal             -> invalid
send     A 99 3 kind=equal split=gaussian -> invalid
send     A 99 3 kind=equal              -> kind=equal split=null id=$p
grab     B $p   -> outcome=grabbed amount=33 share=1
grab     C $p   -> outcome=grabbed amount=33 share=2
grab     D $p   -> outcome=grabbed amount=33 share=3
packet   $p     -> empty remaining_amount=0 remaining_count=0

# PKT-2: an exclusive packet is for those it names.
topup    A 1000
send     A 100 2 kind=exclusive                              -> invalid
send     A 100 2 kind=exclusive recipients='["B"]'           -> invalid
send     A 100 2 kind=exclusive recipients='["B","B"]'       -> invalid
send     A 100 2 kind=lucky recipients='["B","C"]'           -> invalid
send     A 101 2 kind=exclusive recipients='["B","C","D"]'   -> kind=exclusive split=null id=$p
grab     X $p   -> not_a_recipient
grab     B $p   -> outcome=grabbed
grab     C $p   -> outcome=grabbed
grab     D $p   -> packet_empty
grab     X $p   -> not_a_recipient
packet   $p     -> empty remaining_amount=0

# PKT-3: amount equal to count gives everybody 1, whatever the rule.
topup    A 100
send     A 3 3                  -> split=double_mean id=$p
send     A 3 3 split=gaussian   -> split=gaussian id=$q
grab     B $p   -> amount=1
grab     C $p   -> amount=1
grab     D $p   -> amount=1
grab     B $q   -> amount=1
send     A 2 3  -> invalid
send     A 50 1 -> id=$r
grab     B $r   -> amount=50 balance=52

# PKT-5: a second grab is answered with the first share.
topup    A 100
send     A 100 2  -> id=$p
grab     B $p     -> outcome=grabbed share=1 amount=$b balance=$b
grab     B $p     -> outcome=already_grabbed share=1 amount=$b balance=$b
kill
restart
grab     B $p     -> outcome=already_grabbed share=1 amount=$b
entries  B        -> type=packet_grab amount=$bs
packet   $p       -> open remaining_count=1

# PKT-5, PKT-6: the repeat is answered with the first outcome when the packet is empty, too.
topup    A 100
send     A 100 2  -> id=$p
grab     B $p     -> outcome=grabbed amount=$b
grab     C $p     -> outcome=grabbed
grab     D $p     -> packet_empty
grab     B $p     -> outcome=already_grabbed amount=$b
restart
grab     D $p     -> packet_empty
grab     B $p     -> outcome=already_grabbed amount=$b
entries  D        -> account_not_found

# PKT-7: not there before everything else.
grab     B pkt_0000000000001   -> packet_not_found
grab     B nonsense            -> packet_not_found
packet   pkt_0000000000001     -> packet_not_found
open-share B pkt_0000000000001 -> packet_not_found

# PKT-7: expired goes before blocked, before already grabbed, before empty.
topup    A 100
topup    X 1
send     A 100 2 expires_in=60   -> id=$p
grab     B $p                    -> outcome=grabbed
grab     C $p                    -> outcome=grabbed
set      X packets_blocked=true
advance  60s
grab     X $p                    -> packet_expired
grab     B $p                    -> packet_expired
grab     D $p                    -> packet_expired
open-share D $p                  -> packet_expired

# PKT-7: who may not take it is told so before that he has already, or that it is empty.
topup    A 200
send     A 100 2 kind=exclusive recipients='["B","X"]' -> id=$p
grab     B $p                    -> outcome=grabbed
grab     X $p                    -> outcome=grabbed
set      B packets_blocked=true
grab     B $p                    -> account_blocked
grab     D $p                    -> not_a_recipient
send     A 50 1                  -> id=$q
grab     C $q                    -> outcome=grabbed
grab     D $q                    -> packet_empty
grab     B $q                    -> account_blocked
set      B packets_blocked=false
grab     B $q                    -> packet_empty
grab     B $p                    -> outcome=already_grabbed

# PKT-8: a grab reserves a share without showing it; open shows it and credits it.
topup    A 100
send     A 100 1       -> id=$p
reserve  B $p          -> outcome=reserved amount=null balance=0 share=1
account  B             -> balance=0
packet   $p            -> empty remaining_count=0 remaining_amount=100 seed=null closed_at=null
reserve  B $p          -> outcome=reserved amount=null
grab     B $p          -> outcome=reserved amount=null
open-share B $p        -> outcome=grabbed amount=100 balance=100
open-share B $p        -> outcome=already_grabbed amount=100 balance=100
reserve  B $p          -> outcome=already_grabbed amount=100
open-share C $p        -> not_reserved
packet   $p            -> empty remaining_amount=0
account  B             -> balance=100

# PKT-8: a share reserved and never opened goes back to the sender at the close.
topup    A 100
send     A 100 1 expires_in=60   -> id=$p
reserve  B $p                    -> outcome=reserved
advance  60s
open-share B $p                  -> packet_expired
packet   $p                      -> refunded refunded_amount=100 remaining_amount=0 remaining_count=0
account  A                       -> balance=100
account  B                       -> balance=0
audit                            -> ok packets=0

# PKT-9: the credit, its entry and the share are there together, before and after a kill.
topup    A 100
send     A 100 1   -> id=$p
grab     B $p      -> outcome=grabbed amount=100 balance=100
kill
restart
account  B         -> balance=100
entries  B         -> type=packet_grab amount=100 balance=100
packet   $p        -> empty remaining_amount=0
audit              -> ok packets=0
verify

# PKT-10: what is left after 24 hours is refunded, exactly once.
topup    A 100
send     A 90 3 kind=equal   -> id=$p
grab     B $p                -> outcome=grabbed amount=30
advance  24h
packet   $p                  -> refunded refunded_amount=60 remaining_amount=0 remaining_count=0
account  A                   -> balance=70
entries  A                   -> type=packet_refund,packet_send,topup amount=60,-90,100
advance  24h
restart
entries  A                   -> type=packet_refund,packet_send,topup amount=60,-90,100
audit                        -> ok packets=0

# PKT-10: an empty packet has nothing to refund.
topup    A 100
send     A 100 1 expires_in=60 -> id=$p
grab     B $p                  -> amount=100
advance  1h
packet   $p                    -> empty refunded_amount=0
entries  A                     -> type=packet_send,topup

# PKT-10: time that passes while smsd is down is made up for at its start.
topup    A 100
send     A 100 2 expires_in=1  -> id=$p
kill
restart
advance  2s
packet   $p                    -> refunded refunded_amount=100
account  A                     -> balance=100

# PKT-11: lists of packets sent, grabbed and of a group, newest first.
topup    A 1000
topup    B 1000
send     A 10 1 group=g   -> id=$p
send     B 20 2 group=g   -> id=$q
send     A 30 3 group=h   -> id=$r
grab     C $r             -> outcome=grabbed
grab     C $p             -> outcome=grabbed amount=10
packets                   -> amount=30,20,10
packets  sender=A         -> amount=30,10
packets  sender=B         -> amount=20
packets  group=g          -> amount=20,10
packets  group=gg         -> rows=0
packets  user=C           -> amount=30,10
packets  user=D           -> rows=0
packets  sender=A group=g -> invalid
restart
packets  user=C           -> amount=30,10
packets  group=g          -> amount=20,10

# PKT-13: limits: per packet, per share count, and names that make no sense.
topup    A 100000000
send     A 2000001 10     -> invalid
send     A 2000000 10001  -> invalid
send     A 2000000 10000  -> open count=10000
send     A 2000000 1      -> open
send     A 0 1            -> invalid
send     A 10 0           -> invalid
send     @world 10 1      -> invalid
send     A 10 1 expires_in=0  -> invalid
send     A 10 1 kind=big  -> invalid
send     A 10 1 split=fair -> invalid
send     A 10 1 group=@g  -> invalid
send     A 10 1 note=x    -> unknown_field

# PKT-13: a blocked account neither sends nor grabs nor opens.
topup    A 100
topup    B 100
send     A 10 2    -> id=$p
set      B packets_blocked=true
send     B 10 1    -> account_blocked
grab     B $p      -> account_blocked
set      B packets_blocked=false
reserve  B $p      -> outcome=reserved
set      B packets_blocked=true
open-share B $p    -> account_blocked
set      B packets_blocked=false
open-share B $p    -> outcome=grabbed

# PKT-15: a refund that the sender's account cannot take stays due, is listed, and is retried.
topup    A 100
send     A 100 1 expires_in=60  -> id=$p
topup    A 9007199254740991
advance  60s
packet   $p                     -> expired refunded_amount=0 remaining_amount=100
exceptions                      -> rows=1 type=packet_refund status=open amount=100 account=A code=amount_out_of_range attempts=1 id=$es
audit                           -> ok packets=100
advance  5m
exceptions                      -> attempts=2 status=open
payout   A 1000
advance  5m
packet   $p                     -> refunded refunded_amount=100
exceptions                      -> attempts=2 status=resolved
entries  A type=packet_refund   -> amount=100
audit                           -> ok packets=0

# BILL-12, PKT-1: packets in another currency are held apart, and pay only accounts of it.
open     A currency=USD credit_limit=1000
open     B currency=CNY
send     A 100 2 expires_in=60  -> id=$p
grab     B $p                   -> currency_mismatch
grab     C $p                   -> outcome=grabbed
account  C                      -> currency=USD
audit                           -> ok sum=0
advance  60s
audit                           -> ok sum=0 packets=0
