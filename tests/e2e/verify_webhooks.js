// Reads {secret, hooks: [{headers, body, at}]} and writes what the reference library of Standard Webhooks
// makes of each: its payload, or null where it refuses the signature.
const fs = require("fs");
const path = require("path");
const { Webhook, WebhookVerificationError } = require(
  path.join(__dirname, "../../build/npm/node_modules/standardwebhooks"));

const asked = JSON.parse(fs.readFileSync(0, "utf8"));
const webhook = new Webhook(asked.secret);
const now = Date.now;

const found = asked.hooks.map(({ headers, body, at }) => {
  Date.now = () => at * 1000;
  try {
    return webhook.verify(body, headers);
  } catch (error) {
    if (error instanceof WebhookVerificationError) return null;
    throw error;
  } finally {
    Date.now = now;
  }
});
process.stdout.write(JSON.stringify(found));
