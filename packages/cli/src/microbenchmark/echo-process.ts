/** The other end of the raw socket loop: writes back what it reads. */
import { createServer } from "node:net";

const server = createServer((socket) => {
  socket.on("data", (bytes) => socket.write(bytes));
  socket.on("close", () => process.exit(0));
});
server.listen(process.argv[2], () => process.stdout.write("ready\n"));
