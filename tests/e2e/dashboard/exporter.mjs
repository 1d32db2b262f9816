// A NetFlow v5 exporter with made-up traffic whose sums are known, and a DNS server that knows some names.
import dgram from 'node:dgram';

const address = (text) => text.split('.').reduce((n, part) => n * 256 + Number(part), 0) >>> 0;

// One v5 record, 48 bytes (Cisco, "NetFlow Export Datagram Format").
function writeRecord(buffer, at, flow, uptime, now) {
  buffer.writeUInt32BE(address(flow.src), at);
  buffer.writeUInt32BE(address(flow.dst), at + 4);
  buffer.writeUInt16BE(flow.in, at + 12);
  buffer.writeUInt16BE(flow.out, at + 14);
  buffer.writeUInt32BE(flow.packets, at + 16);
  buffer.writeUInt32BE(flow.bytes, at + 20);
  buffer.writeUInt32BE(uptime - (now - flow.start), at + 24);
  buffer.writeUInt32BE(uptime - (now - flow.start) + flow.duration, at + 28);
  buffer.writeUInt16BE(flow.sport, at + 32);
  buffer.writeUInt16BE(flow.dport, at + 34);
  buffer.writeUInt8(flow.flags, at + 37);
  buffer.writeUInt8(flow.proto, at + 38);
}

export function datagrams(flows, now) {
  const uptime = 86400000, all = [];
  for (let i = 0; i < flows.length; i += 30) {
    const part = flows.slice(i, i + 30), buffer = Buffer.alloc(24 + 48 * part.length);
    buffer.writeUInt16BE(5, 0);
    buffer.writeUInt16BE(part.length, 2);
    buffer.writeUInt32BE(uptime, 4);
    buffer.writeUInt32BE(Math.floor(now / 1000), 8);
    buffer.writeUInt32BE((now % 1000) * 1e6, 12);
    buffer.writeUInt32BE(i, 16);
    part.forEach((flow, k) => writeRecord(buffer, 24 + 48 * k, flow, uptime, now));
    all.push(buffer);
  }
  return all;
}

export async function send(buffers, port) {
  const socket = dgram.createSocket('udp4');
  for (const buffer of buffers) {
    await new Promise((resolve, reject) => socket.send(buffer, port, '127.0.0.1', (error) => (error ? reject(error) : resolve())));
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  socket.close();
}

// Half an hour of an office: web, DNS, ssh, ping, and a scan of one host at the end.
export function traffic(now) {
  const flows = [], minute = 60000;
  const add = (flow) => flows.push({proto: 6, flags: 0x1b, packets: Math.ceil(flow.bytes / 1000), duration: 900, in: 1, out: 2, ...flow});
  const both = (flow, answer) => {
    add(flow);
    add({...flow, src: flow.dst, dst: flow.src, sport: flow.dport, dport: flow.sport, in: 2, out: 1, bytes: answer, packets: Math.ceil(answer / 1000)});
  };
  for (let m = 29; m >= 1; m--) {
    const start = now - m * minute;
    for (let c = 1; c <= 8; c++) both({src: `10.1.0.${c}`, dst: `192.0.2.${80 + c % 3}`, sport: 40000 + 30 * c + m, dport: c % 4 ? 443 : 80, bytes: 900 + 10 * c, start: start + c * 700}, 20000 * c + 1500 * (m % 7) * c);
    both({src: '10.1.0.9', dst: '198.51.100.22', sport: 50022, dport: 22, bytes: 4000, start}, 6000 + 400 * (m % 5));
    both({src: '10.1.0.3', dst: '192.0.2.53', sport: 33000 + m, dport: 53, proto: 17, flags: 0, bytes: 70, start}, 210);
    add({src: '10.1.0.2', dst: '192.0.2.1', sport: 0, dport: 8 * 256, proto: 1, flags: 0, bytes: 84, start, duration: 0});
    add({src: '192.0.2.1', dst: '10.1.0.2', sport: 0, dport: 0, proto: 1, flags: 0, bytes: 84, start: start + 3, duration: 0, in: 2, out: 1});
  }
  for (let port = 1; port <= 80; port++) {
    add({src: '203.0.113.5', dst: '10.1.0.80', sport: 61000, dport: port, flags: 0x02, bytes: 44, packets: 1, start: now - 20000 + port, duration: 0, in: 2, out: 1});
    add({src: '10.1.0.80', dst: '203.0.113.5', sport: port, dport: 61000, flags: 0x14, bytes: 40, packets: 1, start: now - 20000 + port, duration: 0});
  }
  return flows;
}

// Answers PTR questions from a table, NXDOMAIN otherwise.
export async function nameServer(names) {
  const socket = dgram.createSocket('udp4');
  socket.on('message', (question, from) => {
    const labels = [];
    let at = 12;
    while (question[at]) { labels.push(question.toString('latin1', at + 1, at + 1 + question[at])); at += question[at] + 1; }
    const end = at + 5, name = names[labels.slice(0, 4).reverse().join('.')];
    const header = Buffer.alloc(12);
    question.copy(header, 0, 0, 2);
    header.writeUInt16BE(name ? 0x8580 : 0x8583, 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(name ? 1 : 0, 6);
    const parts = [header, question.subarray(12, end)];
    if (name) {
      const data = Buffer.concat([...name.split('.').flatMap((label) => [Buffer.from([label.length]), Buffer.from(label)]), Buffer.from([0])]);
      const record = Buffer.alloc(12);
      record.writeUInt16BE(0xc00c, 0);
      record.writeUInt16BE(12, 2);
      record.writeUInt16BE(1, 4);
      record.writeUInt32BE(300, 6);
      record.writeUInt16BE(data.length, 10);
      parts.push(record, data);
    }
    socket.send(Buffer.concat(parts), from.port, from.address);
  });
  await new Promise((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return {port: socket.address().port, close: () => socket.close()};
}
