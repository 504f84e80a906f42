// Opens a report in headless Chromium and uses it as a reader would: search, choose by verdict and topic,
// both together, choose a bar of the plot, open an album by keyboard, walk on, close; fails on console
// errors and on any request that leaves the page.
//
//   make check-reports
//   node check_report.mjs REPORT.html [SCREENSHOT_DIR]      CHROMIUM=/usr/bin/chromium
//
// `cargo run --release -p albumen-report --example sample_report -- OUT` writes a report to check.
import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [report, shots] = process.argv.slice(2);
const url = pathToFileURL(report).href;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

const open = async (width, height, colorScheme) => {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme });
  const troubles = [];
  page.on("console", (m) => { if (["error", "warning"].includes(m.type())) troubles.push(m.text()); });
  page.on("pageerror", (e) => troubles.push(String(e)));
  page.on("dialog", (d) => { troubles.push("hostile text ran: " + d.message()); d.dismiss(); });
  page.on("request", (r) => { if (r.url().split("#")[0] !== url && !r.url().startsWith("data:")) troubles.push(r.url()); });
  const start = Date.now();
  await page.goto(url);
  await page.locator(".card").first().waitFor();
  return { page, troubles, ready_ms: Date.now() - start };
};
const shoot = async (page, name, fullPage = false) => {
  if (shots) await page.screenshot({ path: `${shots}/${name}.png`, fullPage });
};
// Number of albums that the page says it shows.
const countOf = async (page) => {
  const text = await page.locator("#count").textContent();
  return text === "No album matches." ? 0 : parseInt(text, 10);
};
const becomes = (page, wanted) => page.waitForFunction((n) => {
  const text = document.getElementById("count").textContent;
  return (text === "No album matches." ? 0 : parseInt(text, 10)) === n;
}, wanted);

for (const [name, width, height] of [["desktop", 1280, 1000], ["phone", 390, 844]]) {
  for (const scheme of ["light", "dark"]) {
    const { page, troubles, ready_ms } = await open(width, height, scheme);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.equal(await page.locator(".plot > svg").count(), 5, "the plots of the measures");
    assert.ok((await page.locator(".topics .bars a").count()) >= 2, "the plot of the topics");
    assert.ok(overflow <= 0, `the page is ${overflow} px too wide at ${width}`);
    // No label of a bar runs into its number, and none leaves its row.
    const spilt = await page.evaluate(() => [...document.querySelectorAll(".bars li")].filter((li) => {
      const frame = li.getBoundingClientRect();
      const [label, value] = [...li.querySelectorAll("span")].map((s) => s.getBoundingClientRect());
      return value.right > frame.right + 1 || label.right > frame.right + 1 ||
        (label.right > value.left && label.bottom > value.top + 1);
    }).map((li) => li.textContent));
    assert.deepEqual(spilt, []);
    await shoot(page, `${name}-${scheme}`);
    for (const id of ["h-curation", "h-measures", "h-topics"]) {
      await page.evaluate((i) => document.getElementById(i).scrollIntoView(), id);
      await page.waitForTimeout(150);
      await shoot(page, `${name}-${scheme}-${id.slice(2)}`);
    }
    for (const details of await page.locator("details").all()) {
      await details.locator("summary").focus();
      await page.keyboard.press("Enter");
      assert.ok(await details.locator("table").isVisible());
    }
    await page.locator("table.filters").evaluate((t) => t.scrollIntoView());
    await shoot(page, `${name}-${scheme}-filters`);
    await page.evaluate(() => document.getElementById("gallery").scrollIntoView());
    await page.waitForTimeout(300);
    await shoot(page, `${name}-${scheme}-gallery`);
    await page.locator(".open").first().click();
    await page.waitForTimeout(200);
    await shoot(page, `${name}-${scheme}-album`);
    assert.deepEqual(troubles, []);
    console.log(`${name} ${scheme}: ready in ${ready_ms} ms`);
    await page.close();
  }
}

const { page, troubles } = await open(1280, 1000, "light");
// The albums as the page holds them: what each choice must show is counted from these.
const albums = await page.evaluate(() => JSON.parse(document.getElementById("data").textContent));
const has = (word) => (a) => [a.summary, ...a.captions].join("\n").toLowerCase().includes(word);
const isKept = (a) => a.reason === "passed";
const keptAlbums = albums.filter(isKept);
const kept = await countOf(page);
assert.ok(kept > 0);
assert.equal(kept, keptAlbums.length);
assert.ok(keptAlbums.every((a) => Number.isInteger(a.topic)), "every kept album has a topic");

// Search: a word that some kept albums hold and some do not.
const words = keptAlbums.flatMap((a) => a.summary.toLowerCase().match(/[a-z]{4,}/g) ?? []);
const some = (w) => keptAlbums.filter(has(w)).length;
const word = words.find((w) => some(w) > 2 && some(w) < kept / 2) ?? words.find((w) => some(w) < kept);
await page.keyboard.press("/");
await page.keyboard.type(word);
await becomes(page, some(word));
assert.ok((await page.locator("mark").count()) >= 1);
await shoot(page, "search");

// Search and topic together, and each choice says how many albums it would show.
const both = (topic) => keptAlbums.filter((a) => has(word)(a) && a.topic === topic).length;
const options = await page.locator("#topic option").evaluateAll((os) => os.map((o) => [o.value, o.text]));
for (const [value, text] of options.filter(([v]) => v !== "")) {
  assert.ok(text.endsWith(` (${both(Number(value))})`), `${text} promises another number`);
}
const topic = options.map(([v]) => v).find((v) => v !== "" && both(Number(v)) > 0 && both(Number(v)) < some(word));
assert.ok(topic, `no topic divides the albums with "${word}"`);
assert.equal(await page.getByLabel("Topic", { exact: true }).getAttribute("id"), "topic");
await page.locator("#topic").selectOption(topic);
await becomes(page, both(Number(topic)));
await shoot(page, "search-and-topic");
const topicName = options.find(([v]) => v === topic)[1].replace(/ \(\d+\)$/, "");
for (const text of await page.locator(".card .topic").allTextContents()) assert.equal(text, topicName);

// Topic alone, by keyboard; then everything again.
await page.locator("#search").fill("");
const ofTopic = (t) => keptAlbums.filter((a) => a.topic === t).length;
await becomes(page, ofTopic(Number(topic)));
await page.locator("#topic").focus();
await page.keyboard.press("Home");
await becomes(page, kept);
await page.keyboard.press("ArrowDown");
await becomes(page, ofTopic(0));
await page.locator("#search").fill("no such word anywhere");
await becomes(page, 0);
assert.equal(await page.locator(".card").count(), 0);
assert.equal(await page.locator("#count").getAttribute("role"), "status");
await page.getByRole("button", { name: "Clear" }).click();
await becomes(page, kept);
assert.ok(!(await page.locator("#clear").isVisible()));
assert.equal(await page.locator("#topic").inputValue(), "");

// A bar of the plot shows its albums, by keyboard.
await page.locator(".topics .bars a").nth(1).focus();
await page.keyboard.press("Enter");
await becomes(page, ofTopic(1));
assert.equal(await page.locator("#topic").inputValue(), "1");
await page.waitForFunction(() => document.getElementById("gallery").getBoundingClientRect().top < innerHeight / 2);
await page.locator("#clear").click();

// Verdicts.
await page.locator("#reason").selectOption("");
assert.equal(await countOf(page), albums.length);
const reasons = await page.locator("#reason option").evaluateAll((os) => os.map((o) => o.value));
for (const reason of reasons.filter((r) => r && r !== "passed")) {
  await page.locator("#reason").selectOption(reason);
  assert.equal(await countOf(page), albums.filter((a) => a.reason === reason).length, reason);
  await shoot(page, `reason-${reason}`);
  if (reason === "word_list" || reason === "personal_data") {
    await page.locator(".open").first().click();
    assert.equal(await page.locator("#viewer-title").textContent(), "Text hidden");
    await page.getByRole("button", { name: "Show the text" }).click();
    assert.ok((await page.locator("#viewer-photos li").count()) > 0);
    await page.keyboard.press("Escape");
  }
}

// By keyboard alone: open the first album, go on, come back, close; the focus returns to its card.
await page.locator("#reason").selectOption("passed");
await page.locator("#topic").focus();
await page.keyboard.press("Tab");
await page.keyboard.press("Enter");
assert.ok(await page.locator("#viewer").isVisible());
assert.ok((await page.locator("#viewer-note").textContent()).includes("topic: "));
const first = await page.locator("#viewer-id").textContent();
await page.keyboard.press("ArrowRight");
assert.notEqual(await page.locator("#viewer-id").textContent(), first);
await page.keyboard.press("ArrowLeft");
assert.equal(await page.locator("#viewer-id").textContent(), first);
await page.keyboard.press("Escape");
assert.ok(!(await page.locator("#viewer").isVisible()));
assert.ok(await page.evaluate(() => document.activeElement.classList.contains("open")));

// All cards come as the reader scrolls, and pictures are loaded late.
assert.ok((await page.locator(".card").count()) <= Math.min(kept, 96));
assert.ok(await page.locator(".card img").evaluateAll((is) => is.every((i) => i.loading === "lazy")));
for (let i = 0; i < 200 && (await page.locator(".card").count()) < kept; i++) {
  await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
  await page.waitForTimeout(30);
}
assert.equal(await page.locator(".card").count(), kept);

// How long a choice takes until it is on the page, at the full number of albums.
const filter_ms = await page.evaluate(() => {
  const start = performance.now();
  const select = document.getElementById("topic");
  select.value = "0";
  select.dispatchEvent(new Event("change"));
  document.body.getBoundingClientRect();
  return Math.round(performance.now() - start);
});
assert.deepEqual(troubles, []);
console.log(`${kept} kept, ${albums.length} in all, ${some(word)} with "${word}", a choice takes ${filter_ms} ms; ` +
  "search, topics, verdicts, viewer and keyboard work");
await browser.close();
