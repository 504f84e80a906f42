"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const albums = JSON.parse($("data").textContent);
  const STEP = 48;
  // Verdicts whose text may offend or hold a pattern of personal data: shown when asked for.
  const VEILED = new Set(["word_list", "personal_data"]);
  const named = (select) => new Map([...(select?.options ?? [])].map((o) => [o.value, o.text.replace(/ \(\d+\)$/, "")]));
  const titles = named($("reason"));
  // There is no choice of topics where there are too few albums for any.
  const topics = named($("topic"));
  const topicOf = (album) => topics.get(String(album.topic));
  for (const album of albums) {
    album.words = [album.summary, ...album.captions].join("\n").toLowerCase();
  }
  let shown = [];
  let drawn = 0;
  let open = -1;

  const element = (name, className, text) => {
    const e = document.createElement(name);
    if (className) e.className = className;
    if (text !== undefined) e.textContent = text;
    return e;
  };

  const picture = (album, i) => {
    const img = element("img");
    img.loading = "lazy";
    img.decoding = "async";
    img.alt = album.captions[i];
    img.src = "data:image/jpeg;base64," + album.pictures[i];
    return img;
  };

  const terms = () => $("search").value.toLowerCase().split(/\s+/).filter(Boolean);

  // Writes text with the searched words marked, as text nodes only.
  const marked = (target, text) => {
    const wanted = terms();
    const lower = text.toLowerCase();
    // Lower case can be longer than the text in a few scripts; positions would not fit then.
    if (!wanted.length || lower.length !== text.length) {
      target.append(text);
      return;
    }
    let at = 0;
    while (at < text.length) {
      let first = text.length;
      let length = 0;
      for (const term of wanted) {
        const found = lower.indexOf(term, at);
        if (found !== -1 && (found < first || (found === first && term.length > length))) {
          first = found;
          length = term.length;
        }
      }
      target.append(text.slice(at, first));
      if (!length) return;
      target.append(element("mark", "", text.slice(first, first + length)));
      at = first + length;
    }
  };

  const mosaic = (album) => {
    const count = album.pictures.length;
    const box = element("div", "mosaic" + (["", " one", " two", " three"][count] || ""));
    const most = count > 4 ? 3 : count;
    for (let i = 0; i < most; i++) box.append(picture(album, i));
    if (count > most) box.append(element("div", "rest", "+" + (count - most)));
    return box;
  };

  const card = (album, position) => {
    const li = element("li", "card");
    if (album.pictures.length) li.append(mosaic(album));
    const body = element("div", "body");
    if (album.reason !== "passed") body.append(element("span", "tag", titles.get(album.reason)));
    const button = element("button", "open");
    button.type = "button";
    if (VEILED.has(album.reason)) {
      button.textContent = album.id;
      body.append(button, element("p", "hidden-text", "Text hidden; open the album to show it."));
    } else {
      marked(button, album.summary || "(no summary)");
      body.append(button);
      const wanted = terms();
      const hits = album.captions.filter((c) => wanted.some((t) => c.toLowerCase().includes(t)));
      const list = element("ul", "captions");
      for (const caption of (hits.length ? hits : album.captions).slice(0, 2)) {
        const item = element("li");
        marked(item, caption);
        list.append(item);
      }
      body.append(list);
    }
    if (album.reason !== "passed" && !VEILED.has(album.reason)) body.append(element("p", "note", album.detail));
    const count = album.captions.length;
    const topic = topicOf(album);
    if (topic && !VEILED.has(album.reason)) body.append(element("p", "topic", topic));
    body.append(element("p", "meta", album.id + " · " + count + (count === 1 ? " photo" : " photos")));
    button.addEventListener("click", () => show(position));
    li.append(body);
    return li;
  };

  const drawMore = () => {
    const part = document.createDocumentFragment();
    const end = Math.min(drawn + STEP, shown.length);
    for (; drawn < end; drawn++) part.append(card(shown[drawn], drawn));
    $("cards").append(part);
    $("more").hidden = drawn >= shown.length;
    // Observing anew reports at once whether the end is still near.
    watcher.disconnect();
    if (drawn < shown.length) watcher.observe(document.querySelector("footer"));
  };
  const watcher = new IntersectionObserver((entries) => {
    if (entries.some((e) => e.isIntersecting)) drawMore();
  }, { rootMargin: "1200px" });

  // Writes behind each choice how many albums it would show, the other choices being as they are.
  const recount = (select, names, matches, valueOf) => {
    const counts = new Map();
    for (const album of matches) counts.set(valueOf(album), (counts.get(valueOf(album)) ?? 0) + 1);
    for (const option of select?.options ?? []) {
      const count = option.value === "" ? matches.length : counts.get(option.value) ?? 0;
      option.text = names.get(option.value) + " (" + count + ")";
    }
  };

  const filter = () => {
    const wanted = terms();
    const reason = $("reason").value;
    const topic = $("topic")?.value ?? "";
    const ofReason = (a) => !reason || a.reason === reason;
    const ofTopic = (a) => !topic || String(a.topic) === topic;
    const found = albums.filter((a) => wanted.every((t) => a.words.includes(t)));
    recount($("reason"), titles, found.filter(ofTopic), (a) => a.reason);
    recount($("topic"), topics, found.filter(ofReason), (a) => String(a.topic));
    shown = found.filter((a) => ofReason(a) && ofTopic(a));
    drawn = 0;
    $("cards").replaceChildren();
    $("count").textContent = shown.length ? shown.length + (shown.length === 1 ? " album" : " albums") : "No album matches.";
    $("clear").hidden = !wanted.length && !topic && reason === $("reason").options[0].value;
    drawMore();
  };

  const fill = (album) => {
    const photos = $("viewer-photos");
    photos.replaceChildren();
    $("viewer-title").replaceChildren();
    marked($("viewer-title"), album.summary || "(no summary)");
    album.captions.forEach((caption, i) => {
      const li = element("li");
      if (album.pictures[i]) li.append(picture(album, i));
      li.append(element("span", "number", i + 1 + "."));
      marked(li, caption || "(no caption)");
      photos.append(li);
    });
  };

  const show = (position) => {
    open = position;
    const album = shown[position];
    const veiled = VEILED.has(album.reason);
    const notes = [titles.get(album.reason)];
    if (album.reason !== "passed" && !veiled) notes.push(album.detail);
    if (topicOf(album) && !veiled) notes.push("topic: " + topicOf(album));
    if (album.coherence !== undefined) notes.push("coherence " + album.coherence.toFixed(2));
    $("viewer-id").textContent = album.id + " · " + (position + 1) + " of " + shown.length;
    $("viewer-note").textContent = notes.join(" · ");
    if (veiled) {
      $("viewer-title").textContent = "Text hidden";
      const button = element("button", "", "Show the text");
      button.type = "button";
      button.addEventListener("click", () => {
        $("viewer-note").append(" · " + album.detail);
        fill(album);
      });
      const li = element("li");
      li.append(button);
      $("viewer-photos").replaceChildren(li);
    } else {
      fill(album);
    }
    $("previous").disabled = position === 0;
    $("next").disabled = position === shown.length - 1;
    if (!$("viewer").open) $("viewer").showModal();
    $("viewer").scrollTop = 0;
  };

  const move = (by) => {
    if (open + by < 0 || open + by >= shown.length) return;
    show(open + by);
    while (drawn <= open) drawMore();
  };

  $("previous").addEventListener("click", () => move(-1));
  $("next").addEventListener("click", () => move(1));
  $("close").addEventListener("click", () => $("viewer").close());
  $("viewer").addEventListener("click", (e) => { if (e.target === $("viewer")) $("viewer").close(); });
  $("viewer").addEventListener("close", () => {
    const button = $("cards").children[open]?.querySelector(".open");
    open = -1;
    button?.focus();
  });
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if ($("viewer").open) {
      if (e.key === "ArrowLeft") move(-1);
      else if (e.key === "ArrowRight") move(1);
      else return;
      e.preventDefault();
    } else if (e.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) {
      $("search").focus();
      e.preventDefault();
    }
  });

  let waiting = 0;
  $("search").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 120);
  });
  $("reason").addEventListener("change", filter);
  $("topic")?.addEventListener("change", filter);
  $("clear").addEventListener("click", () => {
    $("search").value = "";
    $("reason").selectedIndex = 0;
    if ($("topic")) $("topic").selectedIndex = 0;
    filter();
    $("search").focus();
  });
  for (const bar of document.querySelectorAll("[data-topic]")) {
    // The link itself goes to the gallery.
    bar.addEventListener("click", () => {
      $("search").value = "";
      $("reason").selectedIndex = 0;
      $("topic").value = bar.dataset.topic;
      filter();
    });
  }

  $("tools").hidden = false;
  filter();
})();
