-- wrk's side of the comparison of clients: one fixed request of the same size (wrk has no placeholders that
-- would not cost it more than the sending).
wrk.method = "POST"
wrk.headers["Authorization"] = "Bearer sk_00000000000000000000000000000000"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Idempotency-Key"] = "00000000000000000001"
wrk.body = '{"account":"u00000001","amount":10,"reference":"r00000000000000000001"}'
