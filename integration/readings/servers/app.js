// Reads the path as new URL does, and as routers that decode it afterwards do.
const http = require('node:http')
const [host, port] = process.argv[2].split(':')
http.createServer((req, res) => {
  let url
  try {
    url = new URL(req.url, 'http://app.invalid')
  } catch {
    res.writeHead(400).end()
    return
  }
  res.setHeader('Content-Type', 'text/plain')
  res.write(`path=${url.pathname}\n`)
  try {
    res.write(`path=${decodeURIComponent(url.pathname)}\n`)
  } catch {
    // no path to such a router
  }
  for (const action of url.searchParams.getAll('action')) res.write(`action=${action}\n`)
  res.end()
}).listen(Number(port), host)
