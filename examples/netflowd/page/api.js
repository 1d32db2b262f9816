// Requests to the API beside which this page lies.

export class ApiError extends Error {
  constructor(status, body) {
    super(body.error ?? `the server answered ${status}`);
    this.status = status;
    this.parameter = body.parameter;
    this.column = body.column;
  }
}

export function address(path, parameters = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value === undefined || value === null || value === '') continue;
    for (const item of Array.isArray(value) ? value : [value]) query.append(name, item);
  }
  const text = query.toString();
  return `api/${path}${text ? `?${text}` : ''}`;
}

export async function get(path, parameters, signal) {
  let response;
  try {
    response = await fetch(address(path, parameters), {signal, credentials: 'same-origin'});
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError(0, {error: 'netflowd does not answer'});
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new ApiError(response.status, body);
  return body;
}

// The API's "at most so many parameters" and a server's patience: ask in parts, again for what is pending.
export async function resolve(addresses, known, signal) {
  let open = [...new Set(addresses)].filter((ip) => !known.has(ip));
  for (let round = 0; open.length > 0 && round < 4; round++) {
    const pending = [];
    for (let i = 0; i < open.length; i += 60) {
      const answer = await get('resolve', {ip: open.slice(i, i + 60)}, signal);
      for (const [ip, name] of Object.entries(answer.names)) known.set(ip, name);
      pending.push(...answer.pending);
    }
    open = pending;
  }
  return open.length;
}
