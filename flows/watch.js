// Gatehouse: says over any page that its session has ended, and goes on once it has not.
(() => {
	const doc = document, own = "/.gatehouse/", { text, label } = doc.currentScript?.dataset ?? {};
	let who, dialog, timer, owed = false, asked = 0;

	const show = () => {
		if (dialog) return;
		const p = doc.createElement("p"), a = doc.createElement("a");
		dialog = doc.createElement("dialog");
		dialog.setAttribute("aria-label", p.textContent = text || "You are signed out. Sign in in a new tab, then come back: this page stays as it is.");
		a.textContent = label || "Sign in";
		a.target = "_blank";
		a.href = own + "login?return_to=" + encodeURIComponent(location.pathname + location.search);
		dialog.append(p, a);
		dialog.onclose = () => { dialog?.remove(); dialog = null; };
		doc.body.append(dialog);
		dialog.showModal();
	};

	const look = async () => {
		const forced = owed;
		owed = false;
		try {
			const r = await fetch(own + "session", { cache: "no-store", signal: AbortSignal.timeout(9000) });
			if (r.status === 401 && (who || forced)) show();
			if (r.ok) {
				const { sub } = await r.json();
				if (who && who !== sub) location.reload();
				who = sub;
				if (dialog) {
					dialog.close();
					dispatchEvent(new Event("gatehouse:signed-in"));
				}
			}
		} catch { /* offline: asked again */ }
		asked = Date.now();
		timer = 0;
		if (owed) ask();
	};
	const ask = (refused) => {
		owed ||= refused === true;
		if (!timer && !doc.hidden) timer = setTimeout(look, Math.max(0, asked + 1000 - Date.now()));
	};

	ask();
	setInterval(ask, 60000);
	addEventListener("focus", ask);
	doc.addEventListener("visibilitychange", ask);
	new PerformanceObserver((list) => {
		if (list.getEntries().some((e) => e.responseStatus === 401 && !e.name.includes(own))) ask(true);
	}).observe({ type: "resource" });
})();
