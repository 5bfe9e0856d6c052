// The seat plan of the virtual chamber: shows every desk's lamp and presses its key.
const seats = document.getElementById('seats')
const status = document.getElementById('status')

async function post(path, body) {
  const answer = await fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) })
  status.textContent = answer.ok ? '' : (await answer.json()).detail
}

function tile(desk) {
  const item = document.createElement('li')
  const button = document.createElement('button')
  button.type = 'button'
  button.id = `seat-${desk.seat}`
  button.innerHTML = '<span class="lamp" aria-hidden="true"></span><span><span class="seat"></span><span class="name"></span><span class="state"></span></span>'
  button.addEventListener('click', () => post('press', { seat: desk.seat }))
  item.append(button)
  return item
}

function show(desks) {
  desks.forEach((desk, i) => {
    const item = seats.children[i] ?? seats.appendChild(tile(desk))
    const state = desk.open ? 'open' : desk.requesting ? 'waiting' : ''
    item.className = [state, desk.lost ? 'lost' : ''].join(' ').trim()
    item.querySelector('.seat').textContent = desk.seat
    item.querySelector('.name').textContent = desk.name
    const words = { open: 'Mikrofon offen', waiting: 'meldet sich', '': 'aus' }
    item.firstChild.setAttribute('aria-label', `Platz ${desk.seat}, ${desk.name}: ${desk.lost ? 'nicht erreichbar' : words[state]}`)
  })
}

document.getElementById('clear').addEventListener('click', () => post('priority', { long: false }))
document.getElementById('hold').addEventListener('click', () => post('priority', { long: true }))

const events = new EventSource('desks')
events.onmessage = (e) => { status.textContent = ''; show(JSON.parse(e.data)) }
events.onerror = () => { status.textContent = 'Die Vorführung antwortet nicht. The demo does not answer.' }
