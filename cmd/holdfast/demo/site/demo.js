// The page works without this; it adds what needs a connection of its own.
const element = (id) => document.getElementById(id);
const retryAfter = 2000; // milliseconds

function announce(text) {
  element('banner').textContent = text;
  element('banner').hidden = text === '';
}

// A stream that ends in a drain is asked for again, until a server says hello.
function listen() {
  const source = new EventSource('events');
  const again = () => { source.close(); setTimeout(listen, retryAfter); };
  source.addEventListener('hello', (e) => { announce(''); tick(e); });
  source.addEventListener('tick', tick);
  source.addEventListener('drain', (e) => {
    element('stream').dataset.state = 'draining';
    announce(JSON.parse(e.data).message);
    again();
  });
  source.addEventListener('error', () => {
    element('stream').dataset.state = 'lost';
    if (!element('banner').hidden) announce('The server has stopped. This page waits for the next one.');
    if (source.readyState === EventSource.CLOSED) again();
  });
}

function tick(event) {
  const { now, up, watching } = JSON.parse(event.data);
  element('stream').dataset.state = 'live';
  element('clock').textContent = now + ' UTC';
  element('up').textContent = up + ' s';
  element('watching').textContent = String(watching);
}

let socket = null;

function say(who, text) {
  const line = document.createElement('li');
  line.className = who;
  line.textContent = text;
  element('echoes').append(line);
  while (element('echoes').childElementCount > 6) element('echoes').firstElementChild.remove();
}

function connect(then) {
  socket = new WebSocket(new URL('echo', location.href).href.replace(/^http/, 'ws'));
  socket.addEventListener('open', then);
  socket.addEventListener('message', (e) => say('theirs', e.data));
  socket.addEventListener('close', (e) => {
    say('note', 'closed: ' + e.code + (e.reason ? ', ' + e.reason : ''));
    socket = null;
  });
}

element('call').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = element('message').value || 'Ahoy!';
  const send = () => { say('ours', text); socket.send(text); };
  if (socket && socket.readyState === WebSocket.OPEN) send();
  else if (!socket) connect(send);
  element('message').value = '';
});

for (const part of document.querySelectorAll('[data-live]')) part.hidden = false;
listen();
