// Receives events and verifies them with the published Standard Webhooks library.
//
//     npm install standardwebhooks
//     WEBHOOK_SECRET=whsec_… node examples/receiver.mjs

import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

// The answer to POST /notifications/v1/webhook_endpoints shows the secret, once.
const verifier = new Webhook(process.env.WEBHOOK_SECRET);

const server = createServer(async (request, response) => {
  // The bytes as they came: a body that was parsed and written anew has another signature.
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  try {
    const event = verifier.verify(Buffer.concat(chunks), request.headers);
    // The same event may come more than once: its id tells.
    console.log(event.id, event.type, JSON.stringify(event.data));
    response.writeHead(204).end();
  } catch (error) {
    console.log("refused:", error.message);
    response.writeHead(401).end();
  }
});
server.listen(Number(process.env.PORT ?? 9000), "127.0.0.1", () => {
  console.log(`waiting for events on http://127.0.0.1:${server.address().port}/`);
});
