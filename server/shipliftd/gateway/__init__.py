"""The JSON gateway: Drone's REST routes and the Connect protocol over HTTP/1.1.

It is a client of the gRPC server, through the generated stubs: over a channel in the same process when
`shipliftd serve --http` runs both, over the network when `shipliftd gateway` runs it alone. It has no
state, no store and no rules of its own.

    standalone.py, upstream.py   the gateway alone, and the servers that it calls
    protocol.py   HTTP/1.1, with bounds on what a connection may send
    app.py        what every request passes: its id, the log, errors, CORS, the routes
    drone.py      Drone's routes: those of builds, a handler each, and the table of all
    repositories.py, secrets.py, everywhere.py, badges.py   the others' handlers
    absent.py     what Drone has and we have not
    runners.py    the calls of Drone's runners
    shapes.py     a message as Drone's JSON
    connect.py    every rpc by the Connect protocol
    failures.py   what a call that failed is answered with
    build_page.py a build as a page
    openapi.py    all of it as an OpenAPI document; page.py: the same for people
"""
