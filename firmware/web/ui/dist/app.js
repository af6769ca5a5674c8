"use strict";(()=>{var d={status:null,decisions:[],news_at:performance.now()};function R(t,e){let n=null,o=0,a=0,l=(u,f)=>fetch("/api/v1/"+u).then(async b=>b.ok&&f(await b.json())).catch(()=>{}),c=u=>{d.status=u,d.news_at=performance.now(),t()},s=u=>{d.decisions=[...d.decisions.filter(f=>f.time_ms>u[0]?.time_ms),...u],e()},i=u=>{d.decisions=[u,...d.decisions].slice(0,50),e()},p=()=>{let u=performance.now();a=document.hidden?a+1:0;let f=a<60;n&&(!f||u-Math.max(o,d.news_at)>5e3)&&(n.close(),n=null),f&&!n&&(o=u,l("status",c),n=new EventSource("/api/v1/events"),n.onopen=()=>l("decisions",b=>s(b.decisions)),n.addEventListener("status",b=>c(JSON.parse(b.data))),n.addEventListener("decision",b=>i(JSON.parse(b.data)))),e()};document.onvisibilitychange=p,setInterval(p,1e3),p()}var T=["busy","memory_used_bytes","memory_total_bytes","power_w","temperature_c","health"],q=t=>Math.min(...T.map(e=>t[e].age_ms??1/0)),F=t=>T.every(e=>t[e].value==null||t[e].confidence=="stale"),N=(t,e)=>t.nodes.filter(n=>n.place==e&&n.state!="disabled"),k=t=>t.state=="down"||t.state=="probing",y=t=>N(t,"cloud").reduce((e,n)=>e+n.in_flight,0),M=t=>t.water.line>0&&(t.water.level>=1||t.water.in_flight+y(t)>=t.water.line);function D(t){let e=N(t,"local"),n=N(t,"cloud"),o=t.share.cloud_requests>0;return e.length?e.every(a=>a.state=="unknown")?"waiting":e.every(k)?t.valve.overflow=="auto"&&n.some(a=>!k(a))?"silent":"stuck":M(t)?o?"full":"brim":o?"shared":t.share.local_requests||t.water.in_flight?"here":"idle":n.length?"cloud_only":"empty"}var E=12e4,z=5e3,K=1e3,m=[];function I(t){let e=performance.now(),n=t.water.in_flight;m.push([e,n,n+y(t)]),m=m.filter(o=>e-o[0]<E+z).slice(-K)}var O=()=>m;function C(t,e){let n=m.length?m[m.length-1][0]:0,o="",a=0;return m.forEach((l,c)=>{let s=a;a=Math.round(1e4*(1-(n-l[0])/E))/10,(!c||l[0]-m[c-1][0]>z)&&(o+=(c?`L${s},100Z`:"")+`M${a},100`),o+=`L${a},${(100-l[t]/e*100).toFixed(1)}`}),o&&o+`L${a},100Z`}var Q="http://www.w3.org/2000/svg",r=(t,e,...n)=>({tag:t,attributes:e??{},children:n}),V=t=>t!=null&&t!==""&&typeof t!="boolean";function X(t,e){for(let{name:n}of[...t.attributes])n in e||t.removeAttribute(n);for(let n in e){let o=e[n];n.startsWith("on")?t[n]=o:t.getAttribute(n)!=o&&t.setAttribute(n,o)}}function P(t,e){let n=t.flat(9).filter(V);for(n.forEach((o,a)=>{let l=e.childNodes[a],c=s=>{l?l.replaceWith(s):e.append(s),l=s};o.tag?(l?.localName!=o.tag&&c(document.createElementNS(o.tag=="svg"?Q:e.namespaceURI,o.tag)),X(l,o.attributes),P(o.children,l)):l?.nodeType!=3?c(new Text(o)):l.data!=o&&(l.data=o)});e.childNodes.length>n.length;)e.lastChild.remove()}var Y=`other|中文|English
waiting|Waiting for the first reading.|正在等待第一次读数。
empty|No engine is connected yet.|尚未接入任何引擎。
cloud_only|No local engine: everything goes to the cloud.|没有本地引擎，请求全部转到云端。
silent|The local engine does not answer; everything goes to the cloud.|本地引擎没有响应，请求全部转到云端。
stuck|No engine answers.|没有引擎响应。
full|The local engine is full; $cloud of $all requests go to the cloud.|本地引擎已满，$all 个请求中有 $cloud 个溢出到云端。
brim|The local engine is full.|本地引擎已满。
shared|$local of $all requests are served here, $cloud in the cloud.|$all 个请求中，本地处理 $local 个，云端处理 $cloud 个。
here|All requests are served here: $all.|请求全部在本地处理，共 $all 个。
idle|All quiet: no requests just now.|一切平静，暂无请求。
lost|No news from the box for $s s.|已有 $s 秒没有收到设备的消息。
old|What you see below is old.|以下内容已过时。
queued|$queue waiting in the queue. |$queue 个请求在排队。
no_answer|$name does not answer. |$name 没有响应。
level|Water level|水位
of|$a of $b|$a / $b
now_local|in flight here|本地处理中
now_cloud|in the cloud|云端处理中
line|Overflow line|溢出线
past|2 min ago|2 分钟前
now|now|现在
window|Last $s s|最近 $s 秒
local|Local|本地
cloud|Cloud|云端
requests|Requests|请求
tokens|Tokens|词元
cost|Cost|费用
valve|Valve|阀门
open|Open|打开
closed|Closed|关闭
overflow|Overflow|溢出
holding|Hold|等待
auto|Automatic|自动
off|Off|停用
queue|Queue|排队
nodes|Nodes|节点
node|Node|节点
place|Place|位置
state|State|状态
load|In flight / line|处理中 / 溢出线
ttft|TTFT p50|首字时延 p50
tpot|TPOT p50|每字时延 p50
age|Reading|读数
ago|$t ago|$t前
up|Up|正常
slow_start|Slow start|缓启动
probing|Probing|探测中
down|Down|无响应
unknown|Unknown|未知
disabled|Disabled|已停用
accelerators|Accelerators|加速卡
device|Device|设备
busy|Busy|占用率
memory|Memory|显存
power|Power|功率
temperature|Temperature|温度
well|Answers|正常
unwell|Not well|异常
stale|No news|数据已过时
unrecognised|Not recognised|无法识别
no_device|No device|没有设备
no_library|No library|缺少库
library_too_old|Library too old|库版本过旧
driver_not_running|Driver not running|驱动未运行
not_supported|Not supported|不支持
not_allowed|No permission|没有权限
broken|Makes no sense|数据无效
more|and $n more|另有 $n 个
decisions|Last decisions|最近决策
none|None yet.|暂无。
hold|Held|等待
refuse|Refused|拒绝
units| ms, s, min, h, d| 毫秒, 秒, 分钟, 小时, 天
`,j=t=>Object.fromEntries(Y.split(`
`).map(e=>{let[n,o,a]=e.split("|");return[n,t=="zh"?a:o]})),g=(t,e)=>t.replace(/\$(\w+)/g,(n,o)=>e[o]);var ee=3,te=12,w="–",A=(t,e,n)=>e?g(n.of,{a:t,b:e}):t;function $(t,e){if(t==null)return w;let n=[1e3,60,60,24],o=0;for(;t>=n[o];)t/=n[o++];return(o==1&&t<10?t.toFixed(1):Math.round(t))+e.units.split(",")[o]}var x=(t,e,...n)=>r("section",{id:t},r("h2",null,e),n),_=(t,...e)=>r("tr",null,r("th",{scope:"row"},t),e.map(n=>r("td",null,n))),h=(t,e,n)=>r("rect",{class:t,width:"100%",y:e,height:n});function ne({s:t,w:e}){let{in_flight:n,line:o}=t.water,a=y(t),l=O().reduce((p,u)=>Math.max(p,u[2]*1.1),Math.max(o*1.25,4)),c=p=>p/l*100+"%",s=p=>c(l-p),i=(p,u,f)=>r("span",null,r("b",{class:p},u)," ",f);return x("level",e.level,r("p",{class:"big"},i("local",A(n,o,e),e.now_local),i("cloud",a,e.now_cloud)),r("svg",{class:"basin","aria-hidden":"true"},r("svg",{width:"86%",viewBox:"0 0 1000 100",preserveAspectRatio:"none"},h("bed","0","100%"),r("path",{class:"cloud",d:C(2,l)}),r("path",{class:"local",d:C(1,l)})),r("svg",{x:"88%",width:"12%"},h("bed","0","100%"),h("cloud",s(n+a),c(a)),h("local",s(n),c(n))),o>0&&[r("line",{x2:"100%",y1:s(o),y2:s(o)}),r("text",{x:"8",y:s(o),dy:"-7"},e.line," ",o)]),r("p",{class:"ends"},r("span",null,e.past),r("span",null,e.now)))}function oe({s:{share:t},w:e,language:n}){let o=t.local_requests+t.cloud_requests,a=o&&Math.round(t.local_requests/o*100),l=(s,i)=>s.toLocaleString(n,i),c=(s,i)=>r("th",{scope:"col",class:s},e[s]," ",o?i+"%":"");return x("share",g(e.window,{s:t.window_s}),r("svg",{class:"bar"},h(o?"cloud":"bed","0","100%"),r("rect",{class:"local",width:a+"%",height:"100%"})),r("table",null,r("thead",null,r("tr",null,r("td",null),c("local",a),c("cloud",100-a))),r("tbody",null,_(e.requests,l(t.local_requests),l(t.cloud_requests)),_(e.tokens,l(t.local_tokens),l(t.cloud_tokens)),_(e.cost,w,l(t.cloud_cost,{style:"currency",currency:t.currency,maximumFractionDigits:t.cloud_cost<1?4:2})))))}var se=({s:t,s:{valve:e,queue:n},w:o})=>x("valve",o.valve,r("table",null,_(o.state,e.open||y(t)?o.open:o.closed),_(o.overflow,o[e.overflow]),_(o.holding,o[e.hold]),_(o.queue,A(n.length,n.length_max,o)))),S=t=>t&&r("small",null,t),J=(t,e,n,o,a)=>x(t,e,r("table",{class:"cards"},r("thead",null,r("tr",null,n.map(([l])=>r("th",{scope:"col"},l)))),r("tbody",null,o.map(l=>r("tr",{role:"row"},n.map(([c,s])=>r("td",{role:"cell","data-name":c},r("div",null,s(l)))))))),a),re=({s:t,w:e})=>J("nodes",e.nodes,[[e.node,n=>[r("b",null,n.name),S(n.engine)]],[e.place,n=>r("span",{class:n.place},e[n.place])],[e.state,n=>[r("span",{class:"dot "+n.state},e[n.state]),S(n.why)]],[e.load,n=>A(n.in_flight,n.line,e)],[e.ttft,n=>$(n.ttft_ms_p50,e)],[e.tpot,n=>$(n.tpot_ms_p50,e)],[e.age,n=>n.age_ms==null?w:g(e.ago,{t:$(n.age_ms,e)})]],t.nodes);function ae({from:t,a:e},n){let[o,a,l]=t.state=="waiting"?["unknown",n.unknown,""]:t.state=="silent"?["down",n.down,t.why]:t.state!="answers"?["down",n[t.state],t.why]:e?.health.value==0?["down",n.unwell,e.trouble]:e&&F(e)?["probing",n.stale,""]:["up",n.well,""];return[r("span",{class:"dot "+o},a),S(l)]}function le({s:t,w:e}){let n=t.accelerators??[],o=n.flatMap(s=>s.devices.length?s.devices.map(i=>({from:s,a:i})):[{from:s}]),a=(s,i)=>s&&r("span",{title:s.source},s.value==null?w:(s.confidence=="derived"?"≈ ":"")+i(s.value)),l=s=>(s/2**30).toFixed(1),c=n.reduce((s,i)=>s+i.more,0);return o.length>0&&J("accelerators",e.accelerators,[[e.device,({from:s,a:i})=>[r("b",null,i?.name||i?.id||s.source),S(i?s.source+" · "+i.id:s.driver)]],[e.state,s=>ae(s,e)],[e.busy,({a:s})=>a(s?.busy,i=>Math.round(i*100)+" %")],[e.memory,({a:s})=>s&&[a(s.memory_used_bytes,l)," / ",a(s.memory_total_bytes,i=>l(i)+" GiB")]],[e.power,({a:s})=>a(s?.power_w,i=>Math.round(i)+" W")],[e.temperature,({a:s})=>a(s?.temperature_c,i=>Math.round(i)+" °C")],[e.age,({a:s})=>s&&(q(s)<1/0?g(e.ago,{t:$(q(s),e)}):w)]],o,c>0&&r("p",null,g(e.more,{n:c})))}function ie(t,{w:e,language:n}){let o=a=>r("b",{class:a},e[a]);return x("decisions",e.decisions,r("ol",null,t.slice(0,te).map(a=>r("li",null,r("time",null,new Date(a.time_ms).toTimeString().slice(0,8)),o(a.verdict=="send"?a.place:a.verdict),r("span",null,a.words[n]),r("small",null,[a.node,a.model,a.key].filter(Boolean).join(" · "))))),!t.length&&e.none)}function ce(t){let e=d.status,n=Math.floor((performance.now()-d.news_at)/1e3);if(n>=ee)return{what:"lost",text:g(t.lost,{s:n}),note:e&&t.old};if(!e)return{what:"waiting",text:t.waiting};let o=D(e),{local_requests:a,cloud_requests:l}=e.share,c=o=="silent"||o=="stuck",s={local:a,cloud:l,all:a+l||e.water.in_flight,queue:e.queue.length};return{what:o,text:g(t[o],s),note:(e.queue.length?g(t.queued,s):"")+(c?"":e.nodes.filter(k).map(i=>g(t.no_answer,i)).join(""))}}var H="",B="";function U(t,e,n){let o=d.status,{what:a,text:l,note:c}=ce(t);H!=e+a&&(H=e+a,B=l);let s={s:o,w:t,language:e};return[r("header",null,r("span",null,r("b",null,"Sluice")," ",o?.version),r("button",{lang:e=="en"?"zh":"en",onclick:n},t.other)),r("main",{class:a,"data-over":o&&M(o)?"yes":"no"},r("h1",null,l),r("p",{class:"note"},c),r("p",{class:"told",role:"status"},B),o&&[ne(s),oe(s),se(s),re(s),le(s),ie(d.decisions,s)])]}var G="language";function ue(){try{return localStorage.getItem(G)}catch{}}var v=/^zh/.test(ue()??navigator.language)?"zh":"en",L=!1;function Z(){L=!1,document.documentElement.lang=v=="zh"?"zh-CN":"en",P(U(j(v),v,de),document.body)}function W(){L||requestAnimationFrame(Z),L=!0}function de(){v=v=="en"?"zh":"en",W();try{localStorage.setItem(G,v)}catch{}}R(()=>{I(d.status),W()},W);Z();})();
