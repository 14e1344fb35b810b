// Says while somebody types which parts of the rule hold; the server judges in any case.
const rule = document.getElementById("quy-tac");
const password = document.getElementById("mat-khau");
const again = document.getElementById("mat-khau-lai");
const same = document.getElementById("giong");
const classes = [/\p{Ll}/u, /\p{Lu}/u, /\p{Nd}/u, /[^\p{L}\p{N}]/u];
function judge() {
  const text = password.value.normalize();
  const holds = {
    characters: [...text].length >= Number(rule.dataset.characters),
    classes: classes.filter((one) => one.test(text)).length >= Number(rule.dataset.classes),
    local: text !== "" && !text.toLowerCase().includes(rule.dataset.local),
  };
  for (const item of rule.children) {
    item.classList.toggle("holds", holds[item.dataset.rule]);
    item.classList.toggle("fails", text !== "" && !holds[item.dataset.rule]);
  }
  same.textContent = again.value && again.value.normalize() !== text ? "Hai lần nhập chưa giống nhau." : "";
}
password.addEventListener("input", judge);
again.addEventListener("input", judge);
